"""Shows pictures to the hosted service: encoded for it, kept for minutes, behind a signed link."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from bot.domain.errors import BackendRefused
from bot.domain.pictures import Picture
from bot.images.service_jpeg import jpeg_for_service
from bot.images.thumbnails import RunInThread
from bot.media.links import RELAY_TTL_S, MediaLinks
from bot.storage.ports.pictures import RelayedPictures

ID_BYTES = 16


class LinkPictureLender:
    """Satisfies ``adapters.showapi.ports.PictureLender``.

    ``run`` does CPU work off the event loop, such as Normaliser's.
    """

    def __init__(
        self,
        relayed: RelayedPictures,
        links: MediaLinks,
        run: RunInThread,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._relayed = relayed
        self._links = links
        self._run = run
        self._clock = clock

    async def lend(self, picture: Picture) -> str:
        """An address of plain ASCII from which it can be fetched for five minutes, as a JPEG inside its limits.

        Raises BackendError.
        """
        jpeg = await self._run(partial(jpeg_for_service, picture))
        relay_id = secrets.token_hex(ID_BYTES)
        await self._relayed.put(relay_id, jpeg, self._clock() + timedelta(seconds=RELAY_TTL_S))
        return self._links.relay_url(relay_id)

    async def delete_expired(self) -> None:
        """Forget what was offered longer ago. Raises BackendError."""
        await self._relayed.purge()


class NullPictureLender:
    """For a service that is only emptied, by a program that has no address: it is shown nothing."""

    async def lend(self, _picture: Picture) -> str:
        """Raises BackendRefused."""
        raise BackendRefused("Without PUBLIC_BASE_URL the service can fetch no picture.")

    async def delete_expired(self) -> None:
        """Nothing was offered."""
