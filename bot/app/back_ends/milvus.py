"""Opens the embedded engine with Milvus as its nearest-neighbour search."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from bot.adapters.embedded.verification.verifier import GeometricVerifier
from bot.adapters.milvus.client import MilvusAccount, PyMilvusEngine
from bot.adapters.milvus.engine import MilvusSearch
from bot.adapters.milvus.replication import Replicator
from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import MEGA, BackendDependencies
from bot.app.back_ends.embedded import open_extractor, saving_points
from bot.config.settings import Settings
from bot.domain.errors import BackendError
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.milvus_queue import SqlMilvusQueue
from bot.telemetry.supervision import supervised

log = logging.getLogger(__name__)

_INSTALLATION_DIGITS = 12


@asynccontextmanager
async def open_milvus(dependencies: BackendDependencies) -> AsyncIterator[VisualSearch]:
    """Open the embedded engine's feature extraction and verification; Milvus finds the candidates.

    It opens while Milvus is away too: what is added waits in SQL, and nothing that Slack delivers is lost.
    """
    settings, storage = dependencies.settings, dependencies.storage
    store, queue = await storage.open_milvus()
    async with open_replicator(settings, storage, queue) as (engine, replicator), open_extractor(dependencies) as model:
        store.on_commit = replicator.after_commit
        search = MilvusSearch(
            store,
            model,
            GeometricVerifier(),
            queue=queue,
            engine=engine,
            replicator=replicator,
            fingerprint_memory_bytes=settings.index_memory_mb * MEGA,
        )
        running = nullcontext() if dependencies.for_deletion else supervised("copies for Milvus", replicator.run)
        async with saving_points(search), running:
            yield search
        await _finish(replicator)


@asynccontextmanager
async def open_replicator(
    settings: Settings, storage: SqlStorage, queue: SqlMilvusQueue
) -> AsyncIterator[tuple[PyMilvusEngine, Replicator]]:
    """Open the connection to Milvus, and what keeps its copies current; close it on exit."""
    assert settings.milvus_url is not None
    # A key of this installation's own, which a data transfer keeps, so that several can share one Milvus.
    installation = (await storage.keyring.key("milvus")).hex()[:_INSTALLATION_DIGITS]
    engine = PyMilvusEngine(
        MilvusAccount(settings.milvus_url, installation, settings.milvus_token, float(settings.milvus_timeout_s))
    )
    try:
        yield engine, Replicator(queue, engine)
    finally:
        await engine.close()


async def copy_to_milvus(settings: Settings, storage: SqlStorage) -> None:
    """Copy all vectors that Milvus lacks, and drop the collections of models that are no longer used.

    Raises BackendError.
    """
    _, queue = await storage.open_milvus()
    async with open_replicator(settings, storage, queue) as (_, replicator):
        await replicator.drain()
        await replicator.drop_unused()


async def drop_copies(settings: Settings, storage: SqlStorage) -> None:
    """Delete all copies of vectors from Milvus, and what records them. Raises BackendError."""
    queue = storage.milvus_queue()
    async with open_replicator(settings, storage, queue) as (_, replicator):
        await replicator.drop_all()
    await queue.drop()


async def _finish(replicator: Replicator) -> None:
    """Make the last changes of a command. What fails, the next process makes."""
    try:
        await replicator.drain()
    except BackendError as error:
        log.warning("Milvus lacks some changes until the next start: %s", error)
