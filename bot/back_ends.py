"""The search back ends, by name: each is made here from the settings, and closed here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.metrics import Metrics, NullMetrics

# What needs the numeric libraries is imported where it is made: `vsearch --help` does not wait for them.
if TYPE_CHECKING:
    from bot.adapters.base import VisualSearch
    from bot.adapters.embedded.embedding import EmbeddingModel
    from bot.adapters.embedded.ports import FeatureExtractor
    from bot.config import Settings
    from bot.images.normalise import Normaliser
    from bot.media import MediaLinks
    from bot.storage.nearest_upkeep import PgvectorMaintenance
    from bot.storage.sql import SqlStorage

MEGA = 1_000_000

_SHARED_ROWS = frozenset({"embedded", "pgvector"})


@dataclass(frozen=True, slots=True)
class BackendDependencies:
    """What back ends are made of."""

    settings: Settings
    storage: SqlStorage
    normaliser: Normaliser
    metrics: Metrics
    for_deletion: bool = False
    """The back end is only to be emptied, so that nothing has to be fetched from us."""


def open_back_end(name: str, dependencies: BackendDependencies) -> AbstractAsyncContextManager[VisualSearch]:
    """A back end, by its name in VSEARCH_BACKEND. Raises SettingsError, and BackendError when it is entered."""
    dependencies.settings.check_back_end(name, for_deletion=dependencies.for_deletion)
    return _OPENERS[name](dependencies)


def share_rows(one: str, other: str) -> bool:
    """Whether two back ends search the same rows: what is deleted from one goes from the other."""
    return one == other or {one, other} == _SHARED_ROWS


@asynccontextmanager
async def open_unused(
    name: str, settings: Settings, storage: SqlStorage, *, for_deletion: bool = False
) -> AsyncIterator[VisualSearch]:
    """A back end that need not be the one in use, and what it needs. Raises as ``open_back_end`` does."""
    normaliser = new_normaliser(settings)
    try:
        async with open_back_end(
            name, BackendDependencies(settings, storage, normaliser, NullMetrics(), for_deletion)
        ) as visual:
            yield visual
    finally:
        await normaliser.close()


def new_normaliser(settings: Settings) -> Normaliser:
    """What verifies pictures, within the limits that are set."""
    from bot.images.normalise import Normaliser, PictureLimits  # noqa: PLC0415

    limits = PictureLimits(settings.max_image_mb * MEGA, settings.max_image_megapixels * MEGA)
    return Normaliser(limits, threads=threads_of(settings))


@asynccontextmanager
async def _analyser(dependencies: BackendDependencies) -> AsyncIterator[FeatureExtractor]:
    from bot.adapters.embedded.analyser import PictureFeatureExtractor  # noqa: PLC0415
    from bot.adapters.embedded.embedding import TimedModel  # noqa: PLC0415

    model = TimedModel(await asyncio.to_thread(load_model, dependencies.settings), dependencies.metrics.embedded)
    analyser = PictureFeatureExtractor(model, threads_of(dependencies.settings))
    try:
        yield analyser
    finally:
        await analyser.close()


@asynccontextmanager
async def _embedded(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415
    from bot.adapters.embedded.judge import GeometricVerifier  # noqa: PLC0415

    async with _analyser(dependencies) as analyser:
        memory = dependencies.settings.index_memory_mb * MEGA
        yield EmbeddedSearch(dependencies.storage.vectors, analyser, GeometricVerifier(), index_memory_bytes=memory)


@asynccontextmanager
async def _pgvector(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    """The embedded engine's eye and judgement; PostgreSQL finds the candidates."""
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415
    from bot.adapters.embedded.judge import GeometricVerifier  # noqa: PLC0415
    from bot.adapters.pgvector.finder import PgvectorNeighbourSearch  # noqa: PLC0415

    rows, upkeep = await dependencies.storage.open_pgvector()
    async with _analyser(dependencies) as analyser:
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


@asynccontextmanager
async def _hosted(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    from bot.adapters.showapi.adding import HostedImageAdder  # noqa: PLC0415
    from bot.adapters.showapi.client import ShowApiAccount, ShowApiClient  # noqa: PLC0415
    from bot.adapters.showapi.engine import HostedSearch  # noqa: PLC0415
    from bot.adapters.showapi.leftovers import HostedOrphans  # noqa: PLC0415
    from bot.adapters.showapi.naming import HostedNaming  # noqa: PLC0415
    from bot.adapters.showapi.upkeep import PendingDeletionWorker  # noqa: PLC0415
    from bot.relay import LinkPictureLender, NullPictureLender  # noqa: PLC0415

    settings, storage = dependencies.settings, dependencies.storage
    links = await media_links(settings, storage)
    assert links is not None or dependencies.for_deletion
    assert settings.showapi_app_key is not None
    assert settings.showapi_ds_id is not None
    account = ShowApiAccount(
        settings.showapi_base_url, settings.showapi_app_key, settings.showapi_ds_id, settings.showapi_calls_per_s
    )
    service = ShowApiClient(account, metrics=dependencies.metrics)
    lender = (
        NullPictureLender() if links is None else LinkPictureLender(storage.relayed, links, dependencies.normaliser.run)
    )
    naming = HostedNaming(await storage.keyring.key("hosted names"))
    upkeep = PendingDeletionWorker(service, storage.pending_deletions, lender)
    try:
        async with upkeep.running():
            yield HostedSearch(
                service,
                storage.ledger,
                lender,
                adder=HostedImageAdder(service, storage.ledger, lender),
                upkeep=upkeep,
                orphans=HostedOrphans(service, storage.pending_deletions, naming),
                naming=naming,
                shared=settings.showapi_shared_database,
            )
    finally:
        await service.close()


_OPENERS: Mapping[str, Callable[[BackendDependencies], AbstractAsyncContextManager[VisualSearch]]] = {
    "embedded": _embedded,
    "pgvector": _pgvector,
    "showapi": _hosted,
}


async def media_links(settings: Settings, storage: SqlStorage) -> MediaLinks | None:
    """Links to pictures of ours, if the outside reaches us. Raises SettingsError for an address that can't be one."""
    from bot.media import MediaLinks  # noqa: PLC0415

    if settings.public_base_url is None:
        return None
    return MediaLinks(settings.public_base_url, await storage.keyring.key("media"), settings.media_ttl_s)


def load_model(settings: Settings) -> EmbeddingModel:
    """The built-in model, or the operator's, whose name is known once it is loaded. Raises SettingsError."""
    from bot.adapters.embedded.embedding import (  # noqa: PLC0415
        BuiltInModel,
        CustomModel,
        CustomModelOptions,
        LazyModel,
    )

    if settings.model_path is None:
        return BuiltInModel() if settings.runs_jobs else LazyModel()
    return CustomModel(
        CustomModelOptions(settings.model_path, settings.model_size, settings.model_mean, settings.model_std)
    )


def threads_of(settings: Settings) -> int:
    """Threads for pictures, and as many for the model."""
    if settings.threads:
        return settings.threads
    # A container may be given fewer cores than the machine has; only Linux says so.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
