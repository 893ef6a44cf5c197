"""The composition root: all that knows nothing of Slack is made here, from the settings, and closed here.

Nothing happens at import. ``bot.slack_app`` makes the rest.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

from bot.cache import results_cache
from bot.metrics import Metrics, NullMetrics
from bot.services.add import AddService
from bot.services.databases import DatabaseService
from bot.services.delete import DeleteService
from bot.services.export import ExportService
from bot.services.forgetting import ForgetService
from bot.services.importing import ImportService
from bot.services.listing import ListingService
from bot.services.lookup import LookupService
from bot.services.search import SearchService

# What needs the numeric libraries is imported where it is made: `vsearch --help` does not wait for them.
if TYPE_CHECKING:
    from bot.adapters.base import VisualSearch
    from bot.adapters.embedded.embedding import EmbeddingModel
    from bot.config import Settings
    from bot.images.fetch import Fetcher
    from bot.images.normalise import Normaliser
    from bot.storage.sql import SqlStorage

MEGA = 1_000_000


class Overrides(TypedDict, total=False):
    """Parts that a caller brings along, such as a test's; the caller closes them."""

    storage: SqlStorage
    visual: VisualSearch
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """The house without Slack: what the command line works with."""

    settings: Settings
    storage: SqlStorage
    visual: VisualSearch
    normaliser: Normaliser
    fetcher: Fetcher
    databases: DatabaseService
    adding: AddService
    importing: ImportService
    listing: ListingService
    deleting: DeleteService
    exporting: ExportService
    search: SearchService
    lookup: LookupService
    forgetting: ForgetService


@asynccontextmanager
async def build_services(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[Services]:
    """Open storage and engine; on the way out all that was opened is closed. Raises BackendError."""
    from bot.images.fetch import Fetcher  # noqa: PLC0415
    from bot.images.normalise import Limits, Normaliser  # noqa: PLC0415
    from bot.storage.sql import SqlStorage  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        storage = overrides.get("storage")
        if storage is None:
            storage = await SqlStorage.open(settings.data_dir, settings.database_url)
            stack.push_async_callback(storage.close)
        limits = Limits(settings.max_image_mb * MEGA, settings.max_image_megapixels * MEGA)
        normaliser = Normaliser(limits, threads=threads_of(settings))
        stack.push_async_callback(normaliser.close)
        fetcher = Fetcher(
            max_bytes=limits.max_bytes, timeout_s=settings.fetch_timeout_s, trusted_hosts=settings.trusted_hosts
        )
        stack.push_async_callback(fetcher.close)
        metrics = overrides.get("metrics") or NullMetrics()
        visual = overrides.get("visual")
        if visual is None:
            visual = await stack.enter_async_context(_embedded(settings, storage, metrics))
        yield _compose(settings, storage, visual, normaliser, fetcher=fetcher, metrics=metrics)


@asynccontextmanager
async def _embedded(settings: Settings, storage: SqlStorage, metrics: Metrics) -> AsyncIterator[VisualSearch]:
    from bot.adapters.embedded.analyser import PictureAnalyser  # noqa: PLC0415
    from bot.adapters.embedded.embedding import TimedModel  # noqa: PLC0415
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415
    from bot.adapters.embedded.judge import EvidenceJudge  # noqa: PLC0415

    model = TimedModel(await asyncio.to_thread(load_model, settings), metrics.embedded)
    analyser = PictureAnalyser(model, threads_of(settings))
    try:
        memory = settings.index_memory_mb * MEGA
        yield EmbeddedSearch(storage.vectors, analyser, EvidenceJudge(), index_memory_bytes=memory)
    finally:
        await analyser.close()


def load_model(settings: Settings) -> EmbeddingModel:
    """The built-in model, or the operator's. Raises SettingsError."""
    from bot.adapters.embedded.embedding import BuiltInModel, CustomModel, CustomModelOptions  # noqa: PLC0415

    if settings.model_path is None:
        return BuiltInModel()
    return CustomModel(
        CustomModelOptions(settings.model_path, settings.model_size, settings.model_mean, settings.model_std)
    )


def _compose(
    settings: Settings,
    storage: SqlStorage,
    visual: VisualSearch,
    normaliser: Normaliser,
    *,
    fetcher: Fetcher,
    metrics: Metrics,
) -> Services:
    catalogue = storage.catalogue
    recent = results_cache(settings.cache_ttl_s, settings.cache_size, metrics)
    search = SearchService(visual, catalogue, recent, metrics)
    adding = AddService(visual, storage, metrics=metrics)
    listing = ListingService(catalogue)
    databases, deleting = DatabaseService(visual, storage), DeleteService(visual, storage)
    return Services(
        settings=settings,
        storage=storage,
        visual=visual,
        normaliser=normaliser,
        fetcher=fetcher,
        databases=databases,
        adding=adding,
        importing=ImportService(catalogue, adding, normaliser, max_bytes=settings.max_image_mb * MEGA),
        listing=listing,
        deleting=deleting,
        exporting=ExportService(storage, listing),
        search=search,
        lookup=LookupService(search, catalogue),
        forgetting=ForgetService(visual, storage, deleting, databases),
    )


def threads_of(settings: Settings) -> int:
    """Threads for pictures, and as many for the model."""
    if settings.threads:
        return settings.threads
    # A container may be given fewer cores than the machine has; only Linux says so.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
