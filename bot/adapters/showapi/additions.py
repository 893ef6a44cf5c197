"""Adding images to the hosted service, which may leave an add in doubt.

Each add is recorded in the ledger first. An add in doubt is never simply repeated: the service's listing is checked
first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bot.adapters.showapi.http.client import ShowApiClient
from bot.adapters.showapi.names import encode_note, new_data_id
from bot.adapters.showapi.ports import HostedDatabase, Ledger, PictureLender
from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import BackendError, BackendTimeout, UserError
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note
from bot.domain.pictures import Picture
from bot.images.features import fingerprint

log = logging.getLogger(__name__)

VERIFY_DELAYS_S = (0.5, 1.0, 2.0)
"""Waits before each check of the listing after an add in doubt. The service doesn't document when it lists an image."""


class HostedImageAdder:
    """Adds pictures to the service, each under an entity of its own."""

    def __init__(
        self,
        service: ShowApiClient,
        ledger: Ledger,
        lender: PictureLender,
        *,
        verify_delays_s: Sequence[float] = VERIFY_DELAYS_S,
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._lender = lender
        self._verify_delays_s = verify_delays_s

    async def add(
        self, key: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture and return its data id, once the service certainly has it.

        Raises PictureRefused and BackendError.
        """
        database = await self._ledger.database(key)
        url = await self._lender.lend(picture)
        resumed = None if data_id else await self._ledger.take_over_add(key, picture.digest, entity, note)
        added_id = resumed or data_id or new_data_id()
        image = NewHostedImage(
            added_id, entity, note, picture.digest, await asyncio.to_thread(fingerprint.compute, picture)
        )
        in_doubt = resumed is not None or not await self._ledger.begin_add(key, image)
        try:
            if not in_doubt or not await self._was_added_earlier(database, added_id):
                await self._send_image(database, image, url)
        except BaseException as error:
            refused = isinstance(error, UserError) or (isinstance(error, BackendError) and not error.may_have_been_done)
            settle = self._ledger.abandon_add if refused and not in_doubt else self._ledger.mark_doubtful
            await asyncio.shield(settle(key, added_id))
            raise
        await self._ledger.confirm_add(key, added_id)
        return added_id

    async def exists(self, database: HostedDatabase, data_id: DataId) -> bool:
        """Return whether the service lists the image. Raises BackendError."""
        entity = database.prefix + data_id
        page = await self._service.images(database.upstream, prefix=entity, limit=10)
        return any(row.entity == entity for row in page.rows)

    async def _send_image(self, database: HostedDatabase, image: NewHostedImage, url: str) -> None:
        entity = database.prefix + image.data_id
        try:
            await self._service.add_image(database.upstream, entity, encode_note(image.note), url)
        except BackendError as error:
            if not error.may_have_been_done or not await self._appears_in_listing(
                database, image.data_id, self._verify_delays_s
            ):
                raise
            log.info("the image search has image %s although the add failed: %s", image.data_id, error)

    async def _was_added_earlier(self, database: HostedDatabase, data_id: DataId) -> bool:
        """Return whether an earlier attempt was carried out. Waits, because the service may list it late.

        Raises BackendTimeout if the listing can't be read.
        """
        listed = await self._appears_in_listing(database, data_id, (0.0, *self._verify_delays_s))
        if listed is None:
            raise BackendTimeout(f"can't check whether the service has image {data_id}")
        return listed

    async def _appears_in_listing(
        self, database: HostedDatabase, data_id: DataId, verify_delays_s: Sequence[float]
    ) -> bool | None:
        """Return whether the image appears in the listing in time, or None if the listing can't be read."""
        was_read = False
        for delay in verify_delays_s:
            await asyncio.sleep(delay)
            try:
                if await self.exists(database, data_id):
                    return True
                was_read = True
            except BackendError as error:
                log.info("can't check whether the image search has image %s: %s", data_id, error)
        return False if was_read else None
