"""Composes a data transfer: opens the source and the storage in the settings, and builds the service that copies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot.app.storage import open_storage
from bot.config import parsers as read
from bot.config.settings import Settings
from bot.domain.errors import InvalidInput, TransferRefused
from bot.services.maintenance.data_transfer import TransferService
from bot.storage.transfer.source import TransferSource, source_location


@asynccontextmanager
async def open_transfer(settings: Settings, source: str) -> AsyncIterator[TransferService]:
    """Open a transfer from ``source``, a data directory or a database address, to the storage in the settings.

    Raises InvalidInput for a malformed source, TransferRefused if the transfer isn't possible, and BackendError.
    """
    data_dir, address = _split_source(source, settings.data_dir)
    before, after = source_location(data_dir, address), source_location(settings.data_dir, settings.database_url)
    if before.identity == after.identity:
        raise TransferRefused(f"The settings still point to {before.name} itself. Set DATABASE_URL to the new storage.")
    if await asyncio.to_thread(before.is_in_use):
        raise TransferRefused(f"vsearch is still running on {before.name}. Stop it and run this command again.")
    if await asyncio.to_thread(after.is_in_use):
        raise TransferRefused(
            "vsearch is already running on the storage in the settings. Stop it and run this command again."
        )
    async with AsyncExitStack() as stack:
        origin = await TransferSource.open(before)
        stack.push_async_callback(origin.close)
        storage = await open_storage(settings, allow_partial=True)
        stack.push_async_callback(storage.close)
        transfer = storage.transfer_from(origin, for_pgvector=settings.backend == "pgvector")
        yield TransferService(transfer, origin, storage.pictures)


def _split_source(source: str, data_dir: Path) -> tuple[Path, str | None]:
    """Return the data directory and the database address of a source (None: SQLite in the directory)."""
    if "://" in source:
        try:
            return data_dir, read.database_url(source)
        except ValueError:
            raise InvalidInput(f"--from must be a data directory or {read.database_url.__doc__}.") from None
    path = Path(source).expanduser()
    return (path.parent, f"sqlite:///{path}") if path.is_file() else (path, None)
