"""Opens the embedded engine with pgvector as its nearest-neighbour search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.adapters.pgvector.finder import PgvectorNeighbourSearch
from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import MEGA, BackendDependencies
from bot.app.back_ends.embedded import open_extractor, saving_points
from bot.telemetry.supervision import supervised


@asynccontextmanager
async def open_pgvector(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    """Open the embedded engine's feature extraction and verification; PostgreSQL finds the candidates."""
    rows, maintenance = await dependencies.storage.open_pgvector()
    async with open_extractor(dependencies) as extractor:
        finder = PgvectorNeighbourSearch(extractor.model_id, dependencies.settings.index_memory_mb * MEGA)
        async with (
            supervised("indexes of large databases", maintenance.run)
            if dependencies.settings.runs_jobs
            else nullcontext()
        ):
            engine = EmbeddedSearch(rows, extractor, GeometricVerifier(), neighbours=finder, name="pgvector")
            async with saving_points(engine):
                yield engine
