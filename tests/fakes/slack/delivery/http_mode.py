"""Delivery over HTTP: signed POSTs to the app's request URL, with Slack's retry headers."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from urllib.parse import urlencode

import aiohttp

from tests.fakes.slack.delivery.deliveries import Delivery, Unacknowledged
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Ack, Json

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
TIMEOUT, ERROR, UNREACHABLE = "http_timeout", "http_error", "connection_failed"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return Slack's signature, version v0."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


class HttpMode(Delivery):
    """Sends events as JSON, and commands and interactions as forms."""

    def __init__(self, state: State, url: str, signing_secret: str) -> None:
        super().__init__(state)
        self.url = url
        self.signing_secret = signing_secret
        self._session: aiohttp.ClientSession | None = None

    def signed(
        self, body: bytes | str, *, content_type: str = JSON, secret: str = "", age_s: float = 0
    ) -> dict[str, str]:
        """Return the headers for a body. Another ``secret`` or a large ``age_s`` make the signature invalid."""
        raw = body.encode() if isinstance(body, str) else body
        timestamp = str(int(time.time() - age_s))
        return {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature(secret or self.signing_secret, timestamp, raw),
        }

    async def attempt(self, kind: str, payload: Json, attempt: int, reason: str) -> Ack:
        """POST once."""
        body, content_type = encoded(kind, payload)
        headers = self.signed(body, content_type=content_type)
        if attempt:
            headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason}
        started = time.perf_counter()
        try:
            status, text = await self.post(body, headers)
        except TimeoutError:
            raise Unacknowledged(TIMEOUT) from None
        except aiohttp.ClientError:
            raise Unacknowledged(UNREACHABLE) from None
        if not 200 <= status < 300:
            raise Unacknowledged(f"{ERROR} {status}" if kind != "events_api" else ERROR)
        seconds = time.perf_counter() - started
        return Ack(f"request-{self.state.number()}", kind, seconds, _answer(text))

    async def post(self, body: bytes | str, headers: Mapping[str, str]) -> tuple[int, str]:
        """POST exactly these bytes and headers, and return status and text of the answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(self.acknowledge_within_s)
        raw = body.encode() if isinstance(body, str) else body
        async with self._session.post(
            self.url, data=raw, headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()

    async def close(self) -> None:
        """Stop delivering."""
        await self.stop()
        if self._session is not None:
            await self._session.close()


def encoded(kind: str, payload: Json) -> tuple[bytes, str]:
    """Return a delivery's body and its content type."""
    if kind == "events_api":
        return json.dumps(payload).encode(), JSON
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode({name: "" if value is None else value for name, value in form.items()}).encode(), FORM


def _answer(text: str) -> Json:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        return {"text": text}
    return found if isinstance(found, dict) else {"text": text}
