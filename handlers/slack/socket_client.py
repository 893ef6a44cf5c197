"""Socket Mode client that reconnects after any failure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from slack_sdk.socket_mode.aiohttp import SocketModeClient

from handlers.slack.proxies import proxy_for

ATTEMPT_TIMEOUT_S = 15.0
"""Time limit for connecting to one URL, handshake included. Slack's URLs are valid for half a minute."""

TOO_MANY_CONNECTIONS = "too_many_websockets"
TOO_MANY_CONNECTIONS_PAUSE_S = 15.0
"""Wait before reconnecting when an app's ten connections are in use. The SDK would retry hundreds of times a second."""

log = logging.getLogger(__name__)


class ReconnectingClient(SocketModeClient):
    """The SDK's client with a new URL for every attempt.

    A URL works only once. The SDK requests one when a connection ends, but then retries that one for ever. If the
    network failed in between, the bot would never reconnect.
    """

    too_many_connections_pause_s = TOO_MANY_CONNECTIONS_PAUSE_S
    _not_before = 0.0

    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        """Handle a message as the SDK does, but pause if Slack refuses the connection because there are ten already."""
        if message.get("type") == "disconnect" and message.get("reason") == TOO_MANY_CONNECTIONS:
            log.warning("all ten Socket Mode connections of the app are in use; waiting for one to end")
            self._not_before = time.monotonic() + self.too_many_connections_pause_s
            if self.current_session is not None:
                # The SDK's monitor calls connect when it finds the session closed.
                await self.current_session.close()
            return
        await super().run_message_listeners(message, raw_message)

    async def issue_new_wss_url(self) -> str:
        """Return a URL that works once, and choose its proxy."""
        url = await super().issue_new_wss_url()
        self.use(url)
        return url

    def use(self, url: str) -> None:
        """Connect to this URL next."""
        self.wss_uri, self.proxy = url, proxy_for(url)

    async def connect(self) -> None:
        """Try until the client is connected or closed."""
        if (pause_s := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(pause_s)
            self.wss_uri = None
        while not self.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                    await super().connect()  # type: ignore[no-untyped-call]
                    return
            self.wss_uri = None
