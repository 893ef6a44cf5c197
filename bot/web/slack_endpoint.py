"""Receives Slack's deliveries, limits them and checks their shape before Bolt reads them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message

from bot.web.request_body import read_body
from bot.web.slack_envelope import is_well_formed

MAX_BODY = 4_000_000
"""In bytes. Slack's payloads are far smaller."""

BODY_TIMEOUT_S = 10.0


class SlackEndpoint:
    """``POST /slack/events``: events, commands and interactivity. ``handle`` is Bolt's and verifies the signature."""

    def __init__(self, handle: Callable[[Request], Awaitable[Response]], *, timeout_s: float = BODY_TIMEOUT_S) -> None:
        self._handle = handle
        self._timeout_s = timeout_s

    async def answer(self, request: Request) -> Response:
        """Return Bolt's answer, or 4xx for a body that Bolt would fail on."""
        try:
            body = await read_body(request, MAX_BODY, self._timeout_s)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("The request body did not arrive in time.", 408)
        if body is None:
            return PlainTextResponse("The request is too large.", 413)
        if not is_well_formed(body, request.headers.get("content-type", "")):
            return PlainTextResponse("This is not a request from Slack.", 400)
        return await self._handle(Request(request.scope, _replay(body)))


def _replay(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
