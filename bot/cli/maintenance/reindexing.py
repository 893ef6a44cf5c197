"""Reindexing: embed the stored pictures of databases again, with progress, until done or interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.app.back_ends.dependencies import load_model, threads_of
from bot.cli.terminal.progress import ProgressLine, stop_on_interrupt
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey, DataId, WorkspaceId
from bot.domain.pictures import Picture

if TYPE_CHECKING:
    from bot.adapters.embedded.ports import FeatureExtractor
    from bot.adapters.embedded.reindexer import ReindexResult
    from bot.storage.sql_storage import SqlStorage
    from bot.storage.vectors.embedded import SqlVectorStore

    Indexed = tuple[DatabaseKey, ReindexResult | None]
    """A database and what was done to it; None if that was interrupted."""


async def databases_in(storage: SqlStorage, workspace: str | None) -> list[DatabaseKey]:
    """The databases of a workspace, or of all workspaces."""
    catalogue = storage.catalogue
    workspaces = await catalogue.workspaces() if workspace is None else (WorkspaceId(workspace),)
    return [info.key for one in workspaces for info in await catalogue.databases(one)]


async def reindex_databases(storage: SqlStorage, keys: Sequence[DatabaseKey], settings: Settings) -> list[Indexed]:
    """Reindex databases one after another; an interrupted one is the last.

    Raises UnknownDatabase, and SettingsError if the model can't be loaded.
    """
    from bot.adapters.embedded.feature_extraction import PictureFeatureExtractor  # noqa: PLC0415 - the model's libraries load slowly

    analyser = PictureFeatureExtractor(await asyncio.to_thread(load_model, settings), threads_of(settings))
    try:
        store = await _store(storage, settings)
        outcomes: list[Indexed] = []
        for key in keys:
            outcome = await _reindex(storage, store, analyser, key)
            outcomes.append((key, outcome))
            if outcome is None:
                break
        return outcomes
    finally:
        await analyser.close()


async def _reindex(
    storage: SqlStorage, store: SqlVectorStore, analyser: FeatureExtractor, key: DatabaseKey
) -> ReindexResult | None:
    from bot.adapters.embedded.reindexer import Reindexer  # noqa: PLC0415 - as above

    done = 0

    async def picture_of(data_id: DataId) -> Picture:
        from bot.images.decode.normaliser import decode_stored  # noqa: PLC0415 - as above

        record = (await storage.catalogue.records(key, [data_id]))[data_id]
        return await asyncio.to_thread(decode_stored, await storage.pictures.get(record.digest))

    def embedded(images: int) -> None:
        nonlocal done
        done += images
        line.update(done, total)

    counts = await store.read(
        lambda rows: (
            len(rows.data_ids(rows.state(key).id)),
            rows.count_vectors(rows.state(key).id, analyser.model_id),
        )
    )
    total = counts[0] - counts[1]
    with ProgressLine(f"Reindexing “{key.name}”") as line, stop_on_interrupt() as stop:
        running = asyncio.create_task(Reindexer(store, analyser).reindex(key, picture_of, embedded))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if running.done():
            return running.result()
        # Each handful of images is a transaction: a cancelled one is embedded again.
        running.cancel()
        await asyncio.wait({running})
        return None


async def _store(storage: SqlStorage, settings: Settings) -> SqlVectorStore:
    if settings.backend != "pgvector":
        return storage.vectors
    # What PostgreSQL searches is written along with each vector.
    rows, _ = await storage.open_pgvector()
    return rows
