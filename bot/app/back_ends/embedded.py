"""Opens the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import TimedModel
from bot.adapters.embedded.ports import FeatureExtractor
from bot.adapters.embedded.verifier import GeometricVerifier
from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import MEGA, BackendDependencies, load_model, threads_of


@asynccontextmanager
async def open_analyser(dependencies: BackendDependencies) -> AsyncIterator[FeatureExtractor]:
    """Open it; on the way out it is closed."""
    model = TimedModel(await asyncio.to_thread(load_model, dependencies.settings), dependencies.metrics.embedded)
    analyser = PictureFeatureExtractor(model, threads_of(dependencies.settings))
    try:
        yield analyser
    finally:
        await analyser.close()


@asynccontextmanager
async def open_embedded(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    """Open it; on the way out it is closed."""
    async with open_analyser(dependencies) as analyser:
        memory = dependencies.settings.index_memory_mb * MEGA
        yield EmbeddedSearch(dependencies.storage.vectors, analyser, GeometricVerifier(), index_memory_bytes=memory)
