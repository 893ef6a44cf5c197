"""Opens a back end other than the one in use, for ``vsearch migrate --to`` and ``retire``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.app.back_ends.dependencies import BackendDependencies, new_normaliser
from bot.app.back_ends.registry import open_back_end
from bot.app.picture_server import serve_pictures
from bot.config.settings import Settings
from bot.images.decode.normaliser import decode_stored
from bot.services.maintenance.reconciliation import ReconcileService
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.metrics import NullMetrics


@asynccontextmanager
async def open_reconciliation(
    name: str, settings: Settings, storage: SqlStorage, *, for_deletion: bool = False
) -> AsyncIterator[ReconcileService]:
    """Open a back end, and yield the service that compares it with the catalogue; close it on exit.

    ``for_deletion``: the back end is only emptied, so it need not fetch pictures from us. Raises SettingsError and
    BackendError.
    """
    async with AsyncExitStack() as stack:
        normaliser = new_normaliser(settings)
        stack.push_async_callback(normaliser.close)
        dependencies = BackendDependencies(settings, storage, normaliser, NullMetrics(), for_deletion)
        visual = await stack.enter_async_context(open_back_end(name, dependencies))
        if not for_deletion:
            await stack.enter_async_context(serve_pictures(settings, visual, storage))
        yield ReconcileService(storage, visual, decode_stored)
