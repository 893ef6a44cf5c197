"""Opens the embedded search engine and its model."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.model.embedding import (
    BuiltInModel,
    CustomModel,
    CustomModelOptions,
    EmbeddingModel,
    LazyModel,
    TimedModel,
)
from bot.adapters.embedded.ports import FeatureExtractor
from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import MEGA, BackendDependencies, threads_of
from bot.config.settings import Settings
from bot.domain.errors import BackendError

log = logging.getLogger(__name__)


def load_model(settings: Settings) -> EmbeddingModel:
    """Load the model of VSEARCH_MODEL_PATH, or the built-in one. Raises SettingsError and OSError."""
    if settings.model_path is None:
        return BuiltInModel()
    return CustomModel(
        CustomModelOptions(
            settings.model_path,
            settings.model_size,
            settings.model_mean,
            settings.model_std,
            settings.model_fit,
            settings.model_output,
        )
    )


@asynccontextmanager
async def open_extractor(dependencies: BackendDependencies) -> AsyncIterator[FeatureExtractor]:
    """Open the feature extractor with the model in the settings; close it on exit.

    A process that runs no jobs loads the built-in model on its first use, which it leaves to workers.
    """
    settings = dependencies.settings
    lazy = settings.model_path is None and not settings.runs_jobs
    model = LazyModel() if lazy else await asyncio.to_thread(load_model, settings)
    extractor = PictureFeatureExtractor(TimedModel(model, dependencies.metrics.embedded), threads_of(settings))
    try:
        yield extractor
    finally:
        await extractor.close()


@asynccontextmanager
async def saving_points(engine: EmbeddedSearch) -> AsyncIterator[None]:
    """Save the points that searches have computed, on exit. Otherwise the next process computes them again."""
    try:
        yield
    finally:
        try:
            await engine.points.save()
        except BackendError as error:
            log.warning("can't save the points that searches have computed: %s", error)


@asynccontextmanager
async def open_embedded(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    """Open the embedded engine; close it on exit."""
    async with open_extractor(dependencies) as extractor:
        settings = dependencies.settings
        engine = EmbeddedSearch(
            dependencies.storage.vectors,
            extractor,
            GeometricVerifier(),
            index_memory_bytes=settings.index_memory_mb * MEGA,
            # Not the system's temporary folder, which may be in memory.
            index_folder=settings.data_dir,
        )
        async with saving_points(engine):
            yield engine
