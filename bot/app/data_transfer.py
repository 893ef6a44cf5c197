"""Opens the house that is left and the storage that the settings name, for the move between them."""

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
    """From a data directory or a database's address to where the settings point.

    Raises InvalidInput for a source that is none, CannotMove for a house that can't move, and BackendError.
    """
    data_dir, address = _split_source(source, settings.data_dir)
    before, after = source_location(data_dir, address), source_location(settings.data_dir, settings.database_url)
    if before.identity == after.identity:
        raise TransferRefused(
            f"The settings still point to {before.name} itself: set DATABASE_URL to where it is to move."
        )
    if await asyncio.to_thread(before.is_in_use):
        raise TransferRefused(f"A vsearch is at work in {before.name}: stop the bot, and run this again.")
    if await asyncio.to_thread(after.is_in_use):
        raise TransferRefused("A vsearch is at work already where the settings point: stop it, and run this again.")
    async with AsyncExitStack() as stack:
        origin = await TransferSource.open(before)
        stack.push_async_callback(origin.close)
        storage = await open_storage(settings, allow_partial=True)
        stack.push_async_callback(storage.close)
        move = storage.transfer_from(origin, for_pgvector=settings.backend == "pgvector")
        yield TransferService(move, origin, storage.pictures)


def _split_source(source: str, data_dir: Path) -> tuple[Path, str | None]:
    """The data directory and the address of the database."""
    if "://" in source:
        try:
            return data_dir, read.database_url(source)
        except ValueError:
            raise InvalidInput(f"--from must be a data directory, or {read.database_url.__doc__}.") from None
    path = Path(source).expanduser()
    return (path.parent, f"sqlite:///{path}") if path.is_file() else (path, None)
