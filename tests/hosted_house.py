"""The hosted back end, whole: client, ledger, pictures on a real socket, and a service that fetches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from bot.adapters.showapi.adding import HostedImageAdder
from bot.adapters.showapi.client import ShowApiAccount, ShowApiClient
from bot.adapters.showapi.engine import HostedSearch
from bot.adapters.showapi.leftovers import HostedOrphans
from bot.adapters.showapi.naming import HostedNaming
from bot.adapters.showapi.resilience import RetryPolicy
from bot.adapters.showapi.upkeep import PendingDeletionWorker
from bot.images.normalise import Normaliser, PictureLimits
from bot.media import MediaLinks
from bot.relay import LinkPictureLender
from bot.storage.sql import SqlStorage
from bot.web import pictures_app, serving
from tests.fakes.hosted import HostedService

MEGA = 1_000_000

QUICK = RetryPolicy(
    connect_s=3,
    read_s=3,
    attempt_s=3,
    overall_s=5,
    pause_s=0.01,
    throttled_pause_s=0.01,
    last_start_s=0.1,
    probe_after_s=0.1,
)


def account_of(service: HostedService) -> ShowApiAccount:
    """As the service knows us, and in no hurry to be waited for."""
    return ShowApiAccount(service.base_url, service.app_key, service.ds_id, calls_per_s=1000)


class Clock:
    """A time that tests set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class LateApp:
    """An app that is put in after its address is known."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass
class HostedBackEnd:
    """The back end and its parts. ``clock`` is the upkeep's."""

    visual: HostedSearch
    storage: SqlStorage
    client: ShowApiClient
    upkeep: PendingDeletionWorker
    namer: HostedNaming
    clock: Clock


@asynccontextmanager
async def hosted_back_end(
    folder: Path, account: ShowApiAccount, *, shared: str | None = None, storage: SqlStorage | None = None
) -> AsyncIterator[HostedBackEnd]:
    """As ``bot.back_ends`` makes it, with waits that tests can bear, and upkeep that is done when a test says so."""
    door, clock = LateApp(), Clock()
    opened = storage or await SqlStorage.open(folder)
    normaliser = Normaliser(PictureLimits(25 * MEGA, 50 * MEGA), threads=2)
    client = ShowApiClient(account, retry_policy=QUICK)
    try:
        async with serving(door, "127.0.0.1", 0, grace_s=1) as (host, port):
            links = MediaLinks(f"http://{host}:{port}", await opened.keyring.key("media"), 3600)
            door.app = pictures_app(links, opened.pictures, opened.catalogue, opened.relayed)
            lender = LinkPictureLender(opened.relayed, links, normaliser.run)
            naming = HostedNaming(await opened.keyring.key("hosted names"))
            upkeep = PendingDeletionWorker(client, opened.pending_deletions, lender, clock=clock)
            visual = HostedSearch(
                client,
                opened.ledger,
                lender,
                adder=HostedImageAdder(client, opened.ledger, lender, verify_delays_s=(0.01, 0.02)),
                upkeep=upkeep,
                orphans=HostedOrphans(client, opened.pending_deletions, naming),
                naming=naming,
                shared=shared,
            )
            yield HostedBackEnd(visual, opened, client, upkeep, naming, clock)
    finally:
        await client.close()
        await normaliser.close()
        if storage is None:
            await opened.close()
