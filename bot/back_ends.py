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
    from bot.adapters.embedded.ports import Analyser
    from bot.config import Settings
    from bot.images.normalise import Normaliser
    from bot.media import MediaLinks
    from bot.storage.nearest_upkeep import NearestUpkeep
    from bot.storage.sql import SqlStorage

MEGA = 1_000_000

_ON_THE_SAME_ROWS = frozenset({"embedded", "pgvector"})


@dataclass(frozen=True, slots=True)
class Parts:
    """What back ends are made of."""

    settings: Settings
    storage: SqlStorage
    normaliser: Normaliser
    metrics: Metrics
    to_empty: bool = False
    """The back end is only to be emptied, so that nothing has to be fetched from us."""


def open_back_end(name: str, parts: Parts) -> AbstractAsyncContextManager[VisualSearch]:
    """A back end, by its name in VSEARCH_BACKEND. Raises SettingsError, and BackendError when it is entered."""
    parts.settings.check_back_end(name, to_empty=parts.to_empty)
    return _OPENERS[name](parts)


def have_images_in_common(one: str, other: str) -> bool:
    """Whether two back ends search the same rows: what is deleted from one goes from the other."""
    return one == other or {one, other} == _ON_THE_SAME_ROWS


@asynccontextmanager
async def open_beside(
    name: str, settings: Settings, storage: SqlStorage, *, to_empty: bool = False
) -> AsyncIterator[VisualSearch]:
    """A back end that need not be the one in use, and what it needs. Raises as ``open_back_end`` does."""
    normaliser = new_normaliser(settings)
    try:
        async with open_back_end(name, Parts(settings, storage, normaliser, NullMetrics(), to_empty)) as visual:
            yield visual
    finally:
        await normaliser.close()


def new_normaliser(settings: Settings) -> Normaliser:
    """What verifies pictures, within the limits that are set."""
    from bot.images.normalise import Limits, Normaliser  # noqa: PLC0415

    limits = Limits(settings.max_image_mb * MEGA, settings.max_image_megapixels * MEGA)
    return Normaliser(limits, threads=threads_of(settings))


@asynccontextmanager
async def _analyser(parts: Parts) -> AsyncIterator[Analyser]:
    from bot.adapters.embedded.analyser import PictureAnalyser  # noqa: PLC0415
    from bot.adapters.embedded.embedding import TimedModel  # noqa: PLC0415

    model = TimedModel(await asyncio.to_thread(load_model, parts.settings), parts.metrics.embedded)
    analyser = PictureAnalyser(model, threads_of(parts.settings))
    try:
        yield analyser
    finally:
        await analyser.close()


@asynccontextmanager
async def _embedded(parts: Parts) -> AsyncIterator[VisualSearch]:
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415
    from bot.adapters.embedded.judge import EvidenceJudge  # noqa: PLC0415

    async with _analyser(parts) as analyser:
        memory = parts.settings.index_memory_mb * MEGA
        yield EmbeddedSearch(parts.storage.vectors, analyser, EvidenceJudge(), index_memory_bytes=memory)


@asynccontextmanager
async def _pgvector(parts: Parts) -> AsyncIterator[VisualSearch]:
    """The embedded engine's eye and judgement; PostgreSQL finds the candidates."""
    from bot.adapters.embedded.engine import EmbeddedSearch  # noqa: PLC0415
    from bot.adapters.embedded.judge import EvidenceJudge  # noqa: PLC0415
    from bot.adapters.pgvector.finder import PgvectorFinder  # noqa: PLC0415

    rows, upkeep = await parts.storage.nearest()
    async with _analyser(parts) as analyser:
        finder = PgvectorFinder(analyser.model_id, parts.settings.index_memory_mb * MEGA)
        async with _indexing(upkeep) if parts.settings.does_jobs else nullcontext():
            yield EmbeddedSearch(rows, analyser, EvidenceJudge(), finder=finder, name="pgvector")


@asynccontextmanager
async def _indexing(upkeep: NearestUpkeep) -> AsyncIterator[None]:
    """Inside, large databases get their indexes: work for those that do jobs."""
    running = asyncio.create_task(upkeep.run(), name="indexes of large databases")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


@asynccontextmanager
async def _hosted(parts: Parts) -> AsyncIterator[VisualSearch]:
    from bot.adapters.showapi.adding import Adder  # noqa: PLC0415
    from bot.adapters.showapi.client import HostedAccount, ShowApi  # noqa: PLC0415
    from bot.adapters.showapi.engine import HostedSearch  # noqa: PLC0415
    from bot.adapters.showapi.leftovers import Leftovers  # noqa: PLC0415
    from bot.adapters.showapi.naming import Namer  # noqa: PLC0415
    from bot.adapters.showapi.upkeep import Upkeep  # noqa: PLC0415
    from bot.relay import NoRelay, PictureRelay  # noqa: PLC0415

    settings, storage = parts.settings, parts.storage
    links = await media_links(settings, storage)
    assert links is not None or parts.to_empty
    assert settings.showapi_app_key is not None
    assert settings.showapi_ds_id is not None
    account = HostedAccount(
        settings.showapi_base_url, settings.showapi_app_key, settings.showapi_ds_id, settings.showapi_calls_per_s
    )
    service = ShowApi(account, metrics=parts.metrics)
    relay = NoRelay() if links is None else PictureRelay(storage.relayed, links, parts.normaliser.run)
    namer = Namer(await storage.keyring.key("hosted names"))
    upkeep = Upkeep(service, storage.hosted_chores, relay)
    try:
        async with upkeep.running():
            yield HostedSearch(
                service,
                storage.ledger,
                relay,
                adder=Adder(service, storage.ledger, relay),
                upkeep=upkeep,
                leftovers=Leftovers(service, storage.hosted_chores, namer),
                namer=namer,
                shared=settings.showapi_shared_database,
            )
    finally:
        await service.close()


_OPENERS: Mapping[str, Callable[[Parts], AbstractAsyncContextManager[VisualSearch]]] = {
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
        LateModel,
    )

    if settings.model_path is None:
        return BuiltInModel() if settings.does_jobs else LateModel()
    return CustomModel(
        CustomModelOptions(settings.model_path, settings.model_size, settings.model_mean, settings.model_std)
    )


def threads_of(settings: Settings) -> int:
    """Threads for pictures, and as many for the model."""
    if settings.threads:
        return settings.threads
    # A container may be given fewer cores than the machine has; only Linux says so.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
