"""Adds that may end in doubt: written down first, looked for before they are tried again, never simply repeated."""

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
"""After an add in doubt. Nothing says how soon the service lists what it took."""


class HostedImageAdder:
    """Gives pictures to the service, each under an entity of its own."""

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
        """The image's name, once the service has it for sure. Raises PictureRefused and BackendError."""
        database = await self._ledger.database(key)
        url = await self._lender.lend(picture)
        taken = None if data_id else await self._ledger.take_over_add(key, picture.digest, entity, note)
        name = taken or data_id or new_data_id()
        image = NewHostedImage(
            name, entity, note, picture.digest, await asyncio.to_thread(fingerprint.compute, picture)
        )
        in_doubt = taken is not None or not await self._ledger.begin_add(key, image)
        try:
            if not in_doubt or not await self._was_added_earlier(database, name):
                await self._send_image(database, image, url)
        except BaseException as error:
            refused = isinstance(error, UserError) or (isinstance(error, BackendError) and not error.may_have_been_done)
            settle = self._ledger.abandon_add if refused and not in_doubt else self._ledger.mark_doubtful
            await asyncio.shield(settle(key, name))
            raise
        await self._ledger.confirm_add(key, name)
        return name

    async def exists(self, database: HostedDatabase, data_id: DataId) -> bool:
        """Whether the service lists the image. Raises BackendError."""
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
            log.info("the image search has image %s all the same: %s", image.data_id, error)

    async def _was_added_earlier(self, database: HostedDatabase, data_id: DataId) -> bool:
        """Whether an earlier attempt was carried out; it may not show yet."""
        came = await self._appears_in_listing(database, data_id, (0.0, *self._verify_delays_s))
        if came is None:
            raise BackendTimeout(f"whether the service has image {data_id} can't be seen")
        return came

    async def _appears_in_listing(
        self, database: HostedDatabase, data_id: DataId, verify_delays_s: Sequence[float]
    ) -> bool | None:
        """None if it can't be seen."""
        seen = False
        for delay in verify_delays_s:
            await asyncio.sleep(delay)
            try:
                if await self.exists(database, data_id):
                    return True
                seen = True
            except BackendError as error:
                log.info("whether the image search has image %s can't be seen: %s", data_id, error)
        return False if seen else None
