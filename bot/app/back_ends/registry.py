"""The search back ends by name: each is opened from the settings, and closed here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from bot.app.back_ends.dependencies import BackendDependencies, new_normaliser
from bot.telemetry.metrics import NullMetrics

# What needs the numeric libraries is imported where it is made: `vsearch --help` does not wait for them.
if TYPE_CHECKING:
    from bot.adapters.port import VisualSearch
    from bot.config.settings import Settings
    from bot.storage.sql_storage import SqlStorage


_SHARED_ROWS = frozenset({"embedded", "pgvector"})


def open_back_end(name: str, dependencies: BackendDependencies) -> AbstractAsyncContextManager[VisualSearch]:
    """A back end, by its name in VSEARCH_BACKEND. Raises SettingsError, and BackendError when it is entered."""
    dependencies.settings.check_back_end(name, for_deletion=dependencies.for_deletion)
    # Each back end loads libraries of its own, for up to a second: only the one that is used is imported.
    if name == "embedded":
        from bot.app.back_ends.embedded import open_embedded  # noqa: PLC0415 - see above

        return open_embedded(dependencies)
    if name == "pgvector":
        from bot.app.back_ends.pgvector import open_pgvector  # noqa: PLC0415 - see above

        return open_pgvector(dependencies)
    from bot.app.back_ends.hosted import open_hosted  # noqa: PLC0415 - see above

    return open_hosted(dependencies)


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
