"""Socket Mode connections that are found again, however the last one was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from slack_sdk.socket_mode.aiohttp import SocketModeClient

ATTEMPT_TIMEOUT_S = 15.0
"""For one address, its handshake included. Slack's stay good for half a minute."""

TOO_MANY_CONNECTIONS = "too_many_websockets"
TOO_MANY_CONNECTIONS_PAUSE_S = 15.0
"""Until another of an app's ten connections may have ended. By itself the SDK asks hundreds of times a second."""

log = logging.getLogger(__name__)


class ReconnectingClient(SocketModeClient):
    """The SDK's client, with a fresh address for every attempt.

    An address works once. The SDK asks for one whenever a connection ends, but then tries that same one for ever:
    a network that fails between the two would leave the bot running and deaf.
    """

    too_many_connections_pause_s = TOO_MANY_CONNECTIONS_PAUSE_S
    _not_before = 0.0

    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        """As the SDK does, but for the eleventh connection of an app: it waits for another to end."""
        if message.get("type") == "disconnect" and message.get("reason") == TOO_MANY_CONNECTIONS:
            log.warning("Slack takes ten connections for an app, and has them: this process waits for one to end")
            self._not_before = time.monotonic() + self.too_many_connections_pause_s
            if self.current_session is not None:
                # Whoever finds it closed calls connect.
                await self.current_session.close()
            return
        await super().run_message_listeners(message, raw_message)

    async def connect(self) -> None:
        """Try until connected or closed."""
        if (pause_s := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(pause_s)
            self.wss_uri = None
        while not self.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                    await super().connect()  # type: ignore[no-untyped-call]
                    return
            self.wss_uri = None
