"""Socket Mode connections that are found again, however the last one was lost."""

from __future__ import annotations

import asyncio
import contextlib

from slack_sdk.socket_mode.aiohttp import SocketModeClient

ATTEMPT_TIMEOUT_S = 15.0
"""For one address, its handshake included. Slack's stay good for half a minute."""


class ReconnectingClient(SocketModeClient):
    """The SDK's client, with a fresh address for every attempt.

    An address works once. The SDK asks for one whenever a connection ends, but then tries that same one for ever:
    a network that fails between the two would leave the bot running and deaf.
    """

    async def connect(self) -> None:
        """Try until connected or closed."""
        while not self.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                    await super().connect()  # type: ignore[no-untyped-call]
                    return
            self.wss_uri = None
