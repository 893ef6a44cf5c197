"""Lets the hosted service fetch pictures from a command that runs while no bot does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from bot.config.settings import Settings
from bot.domain.errors import CannotListen

if TYPE_CHECKING:
    from bot.adapters.port import VisualSearch
    from bot.storage.sql_storage import SqlStorage

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve_pictures(settings: Settings, visual: VisualSearch, storage: SqlStorage) -> AsyncIterator[None]:
    """Inside, pictures that the back end is to fetch are served on HOST and PORT, where a bot would serve them.

    Nothing is served for back ends that fetch nothing, nor where somebody listens already: mostly the bot itself, which
    has the same storage.
    """
    async with AsyncExitStack() as stack:
        if visual.capabilities.needs_public_url:
            from bot.app.back_ends.dependencies import media_links  # noqa: PLC0415 - the web server takes a while to load
            from bot.web import pictures_app, serving  # noqa: PLC0415

            links = await media_links(settings, storage)
            assert links is not None
            app = pictures_app(links, storage.pictures, storage.catalogue, storage.relayed)
            try:
                await stack.enter_async_context(serving(app, *settings.listen_address))
            except CannotListen as error:
                log.info("pictures are served by whoever listens there already: %s", error)
        yield
