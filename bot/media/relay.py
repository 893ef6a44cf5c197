"""Stores pictures for minutes and publishes them by signed links: those lent to the hosted service, and drawings."""

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

    ``run`` runs CPU work off the event loop, such as ``Normaliser.run``.
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
        """Return an ASCII URL that serves the picture for five minutes, as a JPEG within the service's limits.

        Raises BackendError.
        """
        jpeg = await self._run(partial(jpeg_for_service, picture))
        relay_id = secrets.token_hex(ID_BYTES)
        await self._relayed.put(relay_id, jpeg, self._clock() + timedelta(seconds=RELAY_TTL_S))
        return self._links.relay_url(relay_id)

    async def delete_expired(self) -> None:
        """Delete pictures whose links have expired. Raises BackendError."""
        await self._relayed.purge()


class TemporaryPictures:
    """Publishes pictures that are shown once, such as drawings, for five minutes. Slack fetches them at once."""

    def __init__(
        self,
        relayed: RelayedPictures,
        links: MediaLinks,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._relayed = relayed
        self._links = links
        self._clock = clock

    async def publish(self, jpeg: bytes, picture: str | None = None) -> str:
        """Return a signed URL that serves the JPEG for five minutes, or until the stored ``picture`` is deleted.

        ``picture`` is the digest of the one that it shows. Raises BackendError.
        """
        relay_id = secrets.token_hex(ID_BYTES)
        await self._relayed.put(relay_id, jpeg, self._clock() + timedelta(seconds=RELAY_TTL_S), picture)
        return self._links.relay_url(relay_id)


class NullPictureLender:
    """Lends nothing. For programs without a public URL that only delete from the hosted service."""

    async def lend(self, _picture: Picture) -> str:
        """Raise BackendRefused."""
        raise BackendRefused("the hosted service can't fetch pictures without PUBLIC_BASE_URL")

    async def delete_expired(self) -> None:
        """Do nothing."""
