"""Helpers for tests of the hosted service's ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot.domain.catalogue import NewHostedImage
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.hosted.pending_deletions import SqlPendingDeletions
from bot.storage.sql_storage import SqlStorage

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS, LOGOS = DatabaseKey(TEAM, DatabaseName("parts")), DatabaseKey(TEAM, DatabaseName("logos"))
NOWHERE = DatabaseKey(TEAM, DatabaseName("nowhere"))
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VALVE, PUMP = EntityId("valve"), EntityId("pump")


class GaveUpError(Exception):
    """Raised by tests to roll a unit back."""


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def image(number: int, entity: EntityId = VALVE) -> NewHostedImage:
    """Return a test image; different numbers give different images."""
    return NewHostedImage(
        data_id=DataId(f"id_{number:04d}"),
        entity=entity,
        note=Note(f"number {number} 🔧"),
        digest=hashlib.sha256(b"%d" % number).hexdigest(),
        fingerprint=bytes([number % 256]) * 32,
    )


async def keep(ledger: SqlLedger, *numbers: int, entity: EntityId = VALVE, key: DatabaseKey = PARTS) -> None:
    """Add images and confirm them."""
    for number in numbers:
        assert await ledger.begin_add(key, image(number, entity))
        await ledger.confirm_add(key, image(number).data_id)


async def kept(ledger: SqlLedger, key: DatabaseKey = PARTS) -> list[str]:
    """Return the data ids of confirmed images, oldest first."""
    return [data_id for data_id, _, _ in await ledger.fingerprints(key)]


def pending_deletions(ledger: SqlLedger) -> SqlPendingDeletions:
    """Return the queue of deletions on the ledger's database."""
    return SqlPendingDeletions(ledger._database, ledger._clock)


async def due_deletions(ledger: SqlLedger) -> list[tuple[str, str]]:
    """Return upstream database and entity of all due deletions."""
    return [(deletion.upstream, deletion.entity) for deletion in await pending_deletions(ledger).due(1000)]


async def in_a_unit(storage: SqlStorage, work: Callable[[], Awaitable[object]]) -> None:
    """Run ``work`` in a unit."""
    async with storage.unit():
        await work()


async def ledger_on(storage: SqlStorage, clock: Clock) -> SqlLedger:
    """Return a ledger with two databases."""
    made = SqlLedger(storage._database, clock)
    await made.create_database(PARTS, "parts_upstream", "p_")
    await made.create_database(LOGOS, "logos_upstream", "l_")
    return made
