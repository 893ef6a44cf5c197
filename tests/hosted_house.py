"""The hosted back end, whole: client, ledger, pictures on a real socket, and a service that fetches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from bot.adapters.showapi.adding import Adder
from bot.adapters.showapi.client import HostedAccount, ShowApi
from bot.adapters.showapi.engine import HostedSearch
from bot.adapters.showapi.leftovers import Leftovers
from bot.adapters.showapi.naming import Namer
from bot.adapters.showapi.resilience import Patience
from bot.adapters.showapi.upkeep import Upkeep
from bot.images.normalise import Limits, Normaliser
from bot.media import MediaLinks
from bot.relay import PictureRelay
from bot.storage.sql import SqlStorage
from bot.web import pictures_app, serving
from tests.fakes.hosted import HostedService

MEGA = 1_000_000

QUICK = Patience(
    connect_s=3,
    read_s=3,
    attempt_s=3,
    overall_s=5,
    pause_s=0.01,
    throttled_pause_s=0.01,
    last_start_s=0.1,
    probe_after_s=0.1,
)


def account_of(service: HostedService) -> HostedAccount:
    """As the service knows us, and in no hurry to be waited for."""
    return HostedAccount(service.base_url, service.app_key, service.ds_id, calls_per_s=1000)


class Clock:
    """A time that tests set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Door:
    """An app that is put in after its address is known."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@dataclass
class HostedHouse:
    """The back end and its parts. ``clock`` is the upkeep's."""

    visual: HostedSearch
    storage: SqlStorage
    client: ShowApi
    upkeep: Upkeep
    namer: Namer
    clock: Clock


@asynccontextmanager
async def hosted_house(
    folder: Path, account: HostedAccount, *, shared: str | None = None, storage: SqlStorage | None = None
) -> AsyncIterator[HostedHouse]:
    """As ``bot.back_ends`` makes it, with waits that tests can bear, and upkeep that is done when a test says so."""
    door, clock = Door(), Clock()
    opened = storage or await SqlStorage.open(folder)
    normaliser = Normaliser(Limits(25 * MEGA, 50 * MEGA), threads=2)
    client = ShowApi(account, patience=QUICK)
    try:
        async with serving(door, "127.0.0.1", 0, grace_s=1) as (host, port):
            links = MediaLinks(f"http://{host}:{port}", await opened.keyring.key("media"), 3600)
            door.app = pictures_app(links, opened.pictures, opened.catalogue, opened.relayed)
            relay = PictureRelay(opened.relayed, links, normaliser.run)
            namer = Namer(await opened.keyring.key("hosted names"))
            upkeep = Upkeep(client, opened.hosted_chores, relay, clock=clock)
            visual = HostedSearch(
                client,
                opened.ledger,
                relay,
                adder=Adder(client, opened.ledger, relay, looks_after_s=(0.01, 0.02)),
                upkeep=upkeep,
                leftovers=Leftovers(client, opened.hosted_chores, namer),
                namer=namer,
                shared=shared,
            )
            yield HostedHouse(visual, opened, client, upkeep, namer, clock)
    finally:
        await client.close()
        await normaliser.close()
        if storage is None:
            await opened.close()
