"""Opens the house that is left and the storage that the settings name, for the move between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bot import config_parsers as read
from bot.app import open_storage
from bot.config import Settings
from bot.errors import InvalidInput
from bot.services.moving import MoveService


@asynccontextmanager
async def open_move(settings: Settings, source: str) -> AsyncIterator[MoveService]:
    """From a data directory or a database's address to where the settings point.

    Raises InvalidInput for a source that is none, CannotMove for a house that can't move, and BackendError.
    """
    from bot.storage.moves import CannotMove  # noqa: PLC0415 - SQLAlchemy loads slowly
    from bot.storage.origin import Origin, place_of  # noqa: PLC0415

    data_dir, address = _parted(source, settings.data_dir)
    before, after = place_of(data_dir, address), place_of(settings.data_dir, settings.database_url)
    if before.identity == after.identity:
        raise CannotMove(f"The settings still point to {before.name} itself: set DATABASE_URL to where it is to move.")
    if await asyncio.to_thread(before.is_in_use):
        raise CannotMove(f"A vsearch is at work in {before.name}: stop the bot, and run this again.")
    if await asyncio.to_thread(after.is_in_use):
        raise CannotMove("A vsearch is at work already where the settings point: stop it, and run this again.")
    async with AsyncExitStack() as stack:
        origin = await Origin.open(before)
        stack.push_async_callback(origin.close)
        storage = await open_storage(settings, half_moved=True)
        stack.push_async_callback(storage.close)
        move = storage.move_from(origin, for_pgvector=settings.backend == "pgvector")
        yield MoveService(move, origin, storage.pictures)


def _parted(source: str, data_dir: Path) -> tuple[Path, str | None]:
    """The data directory and the address of the database."""
    if "://" in source:
        try:
            return data_dir, read.database_url(source)
        except ValueError:
            raise InvalidInput(f"--from must be a data directory, or {read.database_url.__doc__}.") from None
    path = Path(source).expanduser()
    return (path.parent, f"sqlite:///{path}") if path.is_file() else (path, None)
