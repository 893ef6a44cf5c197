"""The web application with fake storage."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import InboxDepth, OpenObligations
from bot.media.links import MediaLinks
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.inbox import Inbox
from bot.storage.ports.pictures import PictureStore, RelayedPictures
from bot.telemetry.prometheus import PrometheusMetrics
from bot.web import web_app
from bot.web.slack_endpoint import SlackEndpoint
from bot.web.slack_signature import SlackSignature
from tests.fakes.slack.delivery.http_mode import FORM, JSON, signature

__all__ = ["BASE", "DIGEST", "FORM", "GONE", "JPEG", "JSON", "OTHER", "SECRET", "START", "TEAM", "WebClient", "signed"]

SECRET = "s" * 32
BASE = "http://v.example"
JPEG = b"\xff\xd8\xff a picture"
DIGEST, GONE = "ab" * 32, "cd" * 32
TEAM, OTHER = WorkspaceId("T1"), WorkspaceId("T2")
START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeWebStorage:
    """The storage that the routes use. All methods raise ``failure`` if it is set."""

    def __init__(self) -> None:
        self.pictures = {DIGEST: JPEG}
        self.held = {(TEAM, DIGEST), (TEAM, GONE)}
        self.waiting = InboxDepth(3, datetime.now(UTC) - timedelta(hours=1))
        self.failure: Exception | None = None
        self.now = START

    def fail(self) -> None:
        if self.failure:
            raise self.failure

    async def holds(self, workspace: WorkspaceId, digest: str) -> bool:
        self.fail()
        return (workspace, digest) in self.held

    async def get(self, digest: str) -> bytes:
        self.fail()
        return self.pictures[digest]

    async def depth(self) -> InboxDepth:
        self.fail()
        return self.waiting

    async def open_obligations(self) -> OpenObligations:
        self.fail()
        return OpenObligations()


class FakeRelayedPictures:
    """Relayed pictures by id."""

    def __init__(self, storage: FakeWebStorage) -> None:
        self._storage = storage
        self.pictures: dict[str, bytes] = {}

    async def get(self, relay_id: str) -> bytes:
        self._storage.fail()
        return self.pictures[relay_id]


def signed(body: bytes, content_type: str = JSON, *, age_s: float = 0) -> dict[str, str]:
    """Return the headers of a delivery that Slack signed ``age_s`` seconds ago."""
    timestamp = str(int(time.time() - age_s))
    return {
        "Content-Type": content_type,
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature(SECRET, timestamp, body),
    }


class WebClient:
    """``slack`` handles deliveries that SECRET signed."""

    def __init__(self, slack: Callable[[Request], Awaitable[Response]] | None = None, **given: Any) -> None:
        self.storage = FakeWebStorage()
        self.links = MediaLinks(BASE, b"k" * 32, 60, lambda: self.storage.now)
        self.relayed = FakeRelayedPictures(self.storage)
        self.metrics = PrometheusMetrics()
        parts: dict[str, Any] = {"media": self.links, "checks": {}} | given
        self.app: ASGIApp = web_app(
            slack=SlackEndpoint(slack, SlackSignature(SECRET)) if slack else None,
            pictures=cast("PictureStore", self.storage),
            catalogue=cast("Catalogue", self.storage),
            relayed=cast("RelayedPictures", self.relayed),
            inbox=cast("Inbox", self.storage),
            metrics=self.metrics,
            **parts,
        )

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=BASE) as client:
            return await client.request(method, path, **more)

    async def get(self, path: str) -> httpx.Response:
        return await self.ask("GET", path)
