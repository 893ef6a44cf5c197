"""Serves pictures to the hosted service while a command runs.

The web server is imported only for a back end that fetches pictures; the import takes 70 ms.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import media_links
from bot.config.settings import Settings
from bot.domain.errors import CannotListen
from bot.storage.sql_storage import SqlStorage

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve_pictures(settings: Settings, visual: VisualSearch, storage: SqlStorage) -> AsyncIterator[None]:
    """Serve pictures on HOST and PORT until the context exits, if the back end fetches pictures.

    Does nothing if another process listens there already; that is usually the bot, which has the same storage.
    """
    async with AsyncExitStack() as stack:
        if visual.capabilities.needs_public_url:
            from bot.web import pictures_app, serving  # noqa: PLC0415 - slow import

            links = await media_links(settings, storage)
            assert links is not None
            app = pictures_app(links, storage.pictures, storage.catalogue, storage.relayed)
            try:
                await stack.enter_async_context(serving(app, *settings.listen_address))
            except CannotListen as error:
                log.info("another process serves pictures on this port: %s", error)
        yield
