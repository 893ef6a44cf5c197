"""Serves pictures to the hosted service while a command runs.

The web server is imported only for a back end that fetches pictures; the import takes 70 ms.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus

import httpx

from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import media_links
from bot.config.settings import Settings
from bot.domain.errors import CannotListen
from bot.media.links import PATH, LinkExpired, MediaLinks
from bot.storage.sql_storage import SqlStorage

log = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 3.0


@asynccontextmanager
async def serve_pictures(settings: Settings, visual: VisualSearch, storage: SqlStorage) -> AsyncIterator[None]:
    """Serve pictures on HOST and PORT until the context exits, if the back end fetches pictures.

    Does nothing if a bot with the same storage listens there already. Raises CannotListen if somebody else does.
    """
    async with AsyncExitStack() as stack:
        if visual.capabilities.needs_public_url:
            from bot.web import pictures_app, serving  # noqa: PLC0415 - slow import

            links = await media_links(settings, storage)
            assert links is not None
            app = pictures_app(links, storage.pictures, storage.catalogue, storage.relayed)
            try:
                await stack.enter_async_context(serving(app, *settings.listen_address))
            except CannotListen:
                if not await _is_our_bot(links, *settings.listen_address):
                    raise
                log.info("a bot serves our pictures on this port already")
        yield


async def _is_our_bot(links: MediaLinks, host: str, port: int) -> bool:
    """Return whether a server knows the key of our links: it calls an expired one expired, and any other unknown."""
    token = links.expired_token()
    # A server on all interfaces is on loopback too, which never needs a proxy.
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    url = httpx.URL(scheme="http", host=reachable, port=port, path=f"{PATH}{token}")
    try:
        async with httpx.AsyncClient(timeout=CHECK_TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(url)
    except httpx.HTTPError:
        return False
    return answer.status_code == HTTPStatus.GONE and answer.text == str(LinkExpired())
