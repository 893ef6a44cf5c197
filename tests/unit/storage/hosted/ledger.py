"""Helpers for tests of the hosted service's ledger."""

from __future__ import annotations

import hashlib

from bot.domain.catalogue import NewHostedImage
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.hosted.pending_deletions import SqlPendingDeletions
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS, LOGOS = DatabaseKey(TEAM, DatabaseName("parts")), DatabaseKey(TEAM, DatabaseName("logos"))
NOWHERE = DatabaseKey(TEAM, DatabaseName("nowhere"))
VALVE, PUMP = EntityId("valve"), EntityId("pump")


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


async def ledger_on(storage: SqlStorage, clock: Clock) -> SqlLedger:
    """Return a ledger with two databases."""
    made = SqlLedger(storage._database, clock)
    await made.create_database(PARTS, "parts_upstream", "p_")
    await made.create_database(LOGOS, "logos_upstream", "l_")
    return made
