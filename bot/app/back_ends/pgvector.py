"""Opens the embedded engine over pgvector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.verifier import GeometricVerifier
from bot.adapters.pgvector.finder import PgvectorNeighbourSearch
from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import MEGA, BackendDependencies
from bot.app.back_ends.embedded import open_analyser
from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance


@asynccontextmanager
async def open_pgvector(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    """The embedded engine's eye and judgement; PostgreSQL finds the candidates."""
    rows, upkeep = await dependencies.storage.open_pgvector()
    async with open_analyser(dependencies) as analyser:
        finder = PgvectorNeighbourSearch(analyser.model_id, dependencies.settings.index_memory_mb * MEGA)
        async with _maintaining_indexes(upkeep) if dependencies.settings.runs_jobs else nullcontext():
            yield EmbeddedSearch(rows, analyser, GeometricVerifier(), neighbours=finder, name="pgvector")


@asynccontextmanager
async def _maintaining_indexes(upkeep: PgvectorMaintenance) -> AsyncIterator[None]:
    """Inside, large databases get their indexes: work for those that do jobs."""
    running = asyncio.create_task(upkeep.run(), name="indexes of large databases")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
