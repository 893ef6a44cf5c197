"""Finds and deletes orphans at the service: images and databases of ours that the ledger doesn't know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

from bot.adapters.showapi.http.client import ShowApiClient
from bot.adapters.showapi.names import HostedNaming
from bot.adapters.showapi.ports import PendingDeletions
from bot.domain.errors import BackendLost


class HostedOrphans:
    """Compares the service's listings with the ledger. Ignores other installations on the same account."""

    def __init__(self, service: ShowApiClient, pending: PendingDeletions, naming: HostedNaming) -> None:
        self._service = service
        self._pending = pending
        self._naming = naming

    async def describe(self) -> tuple[str, ...]:
        """Return one sentence for each orphaned database, and one for the orphaned images of each database.

        Raises BackendError.
        """
        sentences = [f"The hosted service has an orphaned database, {name}." async for name in self._databases()]
        counts: dict[str, int] = {}
        async for upstream, _ in self._images():
            counts[upstream] = counts.get(upstream, 0) + 1
        sentences += [
            f"The hosted service has {count} orphaned {'image' if count == 1 else 'images'} in {name}."
            for name, count in counts.items()
        ]
        return tuple(sentences)

    async def delete(self) -> int:
        """Delete the orphans and return how many were deleted. Raises BackendError."""
        deleted = 0
        async for name in self._databases():
            with suppress(BackendLost):
                await self._service.delete_database(name)
                deleted += 1
        for upstream, entity in [found async for found in self._images()]:
            with suppress(BackendLost):
                await self._service.delete_images(upstream, entity)
                deleted += 1
        return deleted

    async def _databases(self) -> AsyncIterator[str]:
        # Read the service's listing first. Then the ledger knows everything that was created in between.
        listed = await self._service.databases()
        known = {
            hosted.upstream for hosted in await self._pending.databases()
        } | await self._pending.databases_to_delete()
        for name in listed:
            if self._naming.is_ours(name) and name not in known:
                yield name

    async def _images(self) -> AsyncIterator[tuple[str, str]]:
        for upstream in sorted({hosted.upstream for hosted in await self._pending.databases()}):
            with suppress(BackendLost):
                prefix = self._naming.installation_prefix
                listed = {row.entity async for row in self._service.all_images(upstream, prefix=prefix)}
                for entity in sorted(listed - await self._pending.expected_entities(upstream)):
                    yield upstream, entity
