"""Adds that may end in doubt: written down first, looked for before they are tried again, never simply repeated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bot.adapters.showapi.client import ShowApi
from bot.adapters.showapi.naming import extra_of, new_data_id
from bot.adapters.showapi.ports import HostedDatabase, Ledger, Relay
from bot.errors import BackendError, BackendTimeout, UserError
from bot.images import fingerprint
from bot.models import DatabaseKey, DataId, EntityId, NewHostedImage, Note, Picture

log = logging.getLogger(__name__)

LOOKS_AFTER_S = (0.5, 1.0, 2.0)
"""After an add in doubt. Nothing says how soon the service lists what it took."""


class Adder:
    """Gives pictures to the service, each under an entity of its own."""

    def __init__(
        self, service: ShowApi, ledger: Ledger, relay: Relay, *, looks_after_s: Sequence[float] = LOOKS_AFTER_S
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._relay = relay
        self._looks_after_s = looks_after_s

    async def add(
        self, key: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """The image's name, once the service has it for sure. Raises PictureRefused and BackendError."""
        database = await self._ledger.database(key)
        url = await self._relay.offer(picture)
        taken = None if data_id else await self._ledger.take_over(key, picture.digest, entity, note)
        name = taken or data_id or new_data_id()
        image = NewHostedImage(name, entity, note, picture.digest, await asyncio.to_thread(fingerprint.of, picture))
        in_doubt = taken is not None or not await self._ledger.begin(key, image)
        try:
            if not in_doubt or not await self._came_before(database, name):
                await self._give(database, image, url)
        except BaseException as error:
            refused = isinstance(error, UserError) or (isinstance(error, BackendError) and not error.may_have_been_done)
            settle = self._ledger.abandon if refused and not in_doubt else self._ledger.doubt
            await asyncio.shield(settle(key, name))
            raise
        await self._ledger.confirm(key, name)
        return name

    async def is_there(self, database: HostedDatabase, data_id: DataId) -> bool:
        """Whether the service lists the image. Raises BackendError."""
        entity = database.prefix + data_id
        page = await self._service.images(database.upstream, prefix=entity, limit=10)
        return any(row.entity == entity for row in page.rows)

    async def _give(self, database: HostedDatabase, image: NewHostedImage, url: str) -> None:
        entity = database.prefix + image.data_id
        try:
            await self._service.add_image(database.upstream, entity, extra_of(image.note), url)
        except BackendError as error:
            if not error.may_have_been_done or not await self._has_come(database, image.data_id, self._looks_after_s):
                raise
            log.info("the image search has image %s all the same: %s", image.data_id, error)

    async def _came_before(self, database: HostedDatabase, data_id: DataId) -> bool:
        """Whether an earlier attempt was carried out; it may not show yet."""
        came = await self._has_come(database, data_id, (0.0, *self._looks_after_s))
        if came is None:
            raise BackendTimeout(f"whether the service has image {data_id} can't be seen")
        return came

    async def _has_come(self, database: HostedDatabase, data_id: DataId, looks_after_s: Sequence[float]) -> bool | None:
        """None if it can't be seen."""
        seen = False
        for delay in looks_after_s:
            await asyncio.sleep(delay)
            try:
                if await self.is_there(database, data_id):
                    return True
                seen = True
            except BackendError as error:
                log.info("whether the image search has image %s can't be seen: %s", data_id, error)
        return False if seen else None
