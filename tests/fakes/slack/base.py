"""Base class of the stand-in: its state and its connection to the app."""

from __future__ import annotations

import asyncio

from tests.fakes.slack.delivery.http_mode import HttpMode
from tests.fakes.slack.delivery.socket_mode import SocketMode
from tests.fakes.slack.payloads import event_body
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Json, Workspace

GENERAL = "C0GENERAL"
SOMEONE = "U0SOMEONE"


class StandInBase:
    """Delivers over Socket Mode, or over HTTP after ``http`` was called."""

    def __init__(self) -> None:
        self.state = State()
        self.state.cause = self._cause
        self.socket_mode = SocketMode(self.state)
        self.http_mode: HttpMode | None = None

    def http(self, url: str, signing_secret: str) -> HttpMode:
        """Send all further deliveries as signed POSTs to this request URL."""
        self.http_mode = HttpMode(self.state, url, signing_secret)
        return self.http_mode

    def deliver(self, kind: str, payload: Json) -> asyncio.Task[Json]:
        """Deliver a payload. The task ends with the content of the acknowledgement, or when delivery is given up."""
        return (self.http_mode or self.socket_mode).deliver(kind, payload)

    async def deliver_raw(self, body: bytes | str, headers: dict[str, str] | None = None) -> int:
        """POST exactly this, once (signed as JSON if there are no headers), and return the status of the answer."""
        assert self.http_mode is not None, "call http() first"
        status, _ = await self.http_mode.post(body, self.http_mode.signed(body) if headers is None else headers)
        return status

    async def verify_url(self) -> bool:
        """Return whether the app answers the challenge that Slack sends when its request URL is entered."""
        assert self.http_mode is not None, "call http() first"
        challenge = f"challenge-{self.state.number()}"
        body = f'{{"token":"verification-token","type":"url_verification","challenge":"{challenge}"}}'
        status, text = await self.http_mode.post(body, self.http_mode.signed(body))
        return status == 200 and challenge in text

    def event(self, event: Json, *, team: str = "") -> asyncio.Task[Json]:
        """Deliver an event. The task ends when the event is acknowledged or given up."""
        channel = str(event.get("channel") or "")
        workspace = self.state.workspace(team) if team else self.state.workspace_of(channel)
        return self.deliver("events_api", event_body(self.state, workspace, event))

    def _cause(self, workspace: Workspace, event: Json) -> None:
        channel = self.state.channels.get(str(event.get("channel") or ""))
        if channel is None or channel.bot_is_member:
            self.deliver("events_api", event_body(self.state, workspace, event))
