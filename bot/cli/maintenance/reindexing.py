"""Reindexing: embed the stored pictures of databases again, with progress."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor
from bot.adapters.embedded.ports import FeatureExtractor
from bot.adapters.embedded.reindexer import Reindexer, ReindexResult
from bot.app.back_ends.dependencies import threads_of
from bot.app.back_ends.embedded import load_model
from bot.cli.terminal.cancellation import stop_on_interrupt
from bot.cli.terminal.progress import ProgressLine
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey, DataId, WorkspaceId
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import decode_stored
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.store import SqlVectorStore

Indexed = tuple[DatabaseKey, ReindexResult | None]
"""A database and its result; None if reindexing it was interrupted."""


async def databases_in(storage: SqlStorage, workspace: str | None) -> list[DatabaseKey]:
    """Return the databases of a workspace, or of all workspaces."""
    catalogue = storage.catalogue
    workspaces = await catalogue.workspaces() if workspace is None else (WorkspaceId(workspace),)
    return [info.key for one in workspaces for info in await catalogue.databases(one)]


async def reindex_databases(storage: SqlStorage, keys: Sequence[DatabaseKey], settings: Settings) -> list[Indexed]:
    """Reindex databases one after another; stop after an interrupted one.

    Raises UnknownDatabase, and SettingsError if the model can't be loaded.
    """
    extractor = PictureFeatureExtractor(await asyncio.to_thread(load_model, settings), threads_of(settings))
    try:
        store = await _store(storage, settings)
        outcomes: list[Indexed] = []
        for key in keys:
            outcome = await _reindex(storage, store, extractor, key)
            outcomes.append((key, outcome))
            if outcome is None:
                break
        if settings.backend == "milvus":
            from bot.app.back_ends.milvus import copy_to_milvus  # noqa: PLC0415 - only for this back end

            # The new vectors are in SQL, where searches find them meanwhile.
            await copy_to_milvus(settings, storage)
        return outcomes
    finally:
        await extractor.close()


async def _reindex(
    storage: SqlStorage, store: SqlVectorStore, extractor: FeatureExtractor, key: DatabaseKey
) -> ReindexResult | None:
    done = 0

    async def picture_of(data_id: DataId) -> Picture:
        record = (await storage.catalogue.records(key, [data_id]))[data_id]
        return await asyncio.to_thread(decode_stored, await storage.pictures.get(record.digest))

    def embedded(images: int) -> None:
        nonlocal done
        done += images
        line.update(done, total)

    total = await store.read(lambda rows: rows.count_images_without_points(rows.state(key).id, extractor.model_id))
    with ProgressLine(f"Reindexing “{key.name}”") as line, stop_on_interrupt() as stop:
        running = asyncio.create_task(Reindexer(store, extractor).reindex(key, picture_of, embedded))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if running.done():
            return running.result()
        # Each batch is a transaction. The next run embeds a cancelled batch again.
        running.cancel()
        await asyncio.wait({running})
        return None


async def _store(storage: SqlStorage, settings: Settings) -> SqlVectorStore:
    if settings.backend == "milvus":
        # Opened first, so that what is written for Milvus is queued from the start.
        store, _ = await storage.open_milvus()
        return store
    if settings.backend != "pgvector":
        return storage.vectors
    # This store also writes the copy of each vector that PostgreSQL searches.
    rows, _ = await storage.open_pgvector()
    return rows
