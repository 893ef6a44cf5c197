"""What lies at the service, was made by us and belongs to nobody, whatever became of its add or its deletion."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

from bot.adapters.showapi.http.client import ShowApiClient
from bot.adapters.showapi.names import HostedNaming
from bot.adapters.showapi.ports import PendingDeletions
from bot.domain.errors import BackendLost


class HostedOrphans:
    """Compares what the service lists with all that it may have. Other installations on the account are let be."""

    def __init__(self, service: ShowApiClient, pending: PendingDeletions, naming: HostedNaming) -> None:
        self._service = service
        self._pending = pending
        self._naming = naming

    async def describe(self) -> tuple[str, ...]:
        """A sentence for each. Raises BackendError."""
        sentences = [f"The service's database {name} belongs to nobody." async for name in self._databases()]
        counts: dict[str, int] = {}
        async for upstream, _ in self._images():
            counts[upstream] = counts.get(upstream, 0) + 1
        sentences += [f"{count} images in {name} belong to nobody." for name, count in counts.items()]
        return tuple(sentences)

    async def delete(self) -> int:
        """Delete them; how many went. Raises BackendError."""
        gone = 0
        async for name in self._databases():
            with suppress(BackendLost):
                await self._service.delete_database(name)
                gone += 1
        for upstream, entity in [found async for found in self._images()]:
            with suppress(BackendLost):
                await self._service.delete_images(upstream, entity)
                gone += 1
        return gone

    async def _databases(self) -> AsyncIterator[str]:
        # The service first: what is made in between is then known already.
        listed = await self._service.databases()
        known = {
            place.upstream for place in await self._pending.databases()
        } | await self._pending.databases_to_delete()
        for name in listed:
            if self._naming.is_ours(name) and name not in known:
                yield name

    async def _images(self) -> AsyncIterator[tuple[str, str]]:
        for upstream in sorted({place.upstream for place in await self._pending.databases()}):
            with suppress(BackendLost):
                begin = self._naming.entities_begin
                listed = {row.entity async for row in self._service.all_images(upstream, prefix=begin)}
                for entity in sorted(listed - await self._pending.expected_entities(upstream)):
                    yield upstream, entity
