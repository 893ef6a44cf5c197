"""Receives Slack's deliveries: limits them, verifies their signature and checks their shape before Bolt reads them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message

from bot.web.request_body import BodyReader
from bot.web.slack_envelope import is_well_formed
from bot.web.slack_signature import SlackSignature

MAX_BODY = 1_000_000
"""In bytes. Slack's payloads are far smaller."""

BODY_TIMEOUT_S = 3.0
"""Slack gives up a request after 3 seconds."""

MAX_CERTIFICATE_CHECK = 1000
"""In bytes."""


class SlackEndpoint:
    """``POST /slack/events``: events, commands and interactivity. ``handle`` is Bolt's."""

    def __init__(
        self,
        handle: Callable[[Request], Awaitable[Response]],
        signature: SlackSignature,
        *,
        timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self._handle = handle
        self._signature = signature
        self._bodies = BodyReader(MAX_BODY, timeout_s)
        self._unsigned = BodyReader(MAX_CERTIFICATE_CHECK, timeout_s)

    async def answer(self, request: Request) -> Response:
        """Return Bolt's answer, or 4xx for a request that Slack did not sign or that Bolt would fail on."""
        # Without a signature, only the check of the certificate is answered: don't read more than it can have.
        is_signed = self._signature.is_present(request.headers)
        try:
            body = await (self._bodies if is_signed else self._unsigned).read(request)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("The request body did not arrive in time.", 408)
        if body is None and not is_signed:
            return Response(status_code=401)
        if body is None:
            return PlainTextResponse("The request is too large.", 413)
        if not self._signature.is_valid(request.headers, body):
            # Slack checks the certificate of a command's address without signing the request.
            return Response(status_code=200 if _is_certificate_check(body) else 401)
        if not is_well_formed(body, request.headers.get("content-type", "")):
            return PlainTextResponse("This is not a request from Slack.", 400)
        return await self._handle(Request(request.scope, _replay(body)))


def _is_certificate_check(body: bytes) -> bool:
    return len(body) <= MAX_CERTIFICATE_CHECK and b"ssl_check=1" in body.split(b"&")


def _replay(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
