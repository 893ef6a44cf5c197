"""Pending points are replaced while their images are deleted, without a deadlock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, select

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.sql import postgres
from bot.storage.sql.schema.tables import embedded_vectors
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.embedded import SqlVectorRows

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
LONGEST_S = 5


def add_two(rows: SqlVectorRows) -> None:
    """Add two images with pending points."""
    rows.create(PARTS)
    database_id = rows.state(PARTS).id
    features = (b"embedding", b"fingerprint", b"", b"", b"luminance")
    images = [(DataId(data_id), EntityId("valve"), Note(), datetime.now(UTC), features) for data_id in "12"]
    rows.add_images(database_id, "model", images)


async def test_points_are_completed_beside_a_deletion(tmp_path: Path, postgres_address: str) -> None:
    storage = await SqlStorage.open(tmp_path, postgres_address)
    engine = postgres.create(postgres.address(postgres_address), 1)
    try:
        await storage.vectors.write(add_two)
        deleted, kept = await storage.vectors.snapshot(lambda rows: list(rows.next_pending_points(0, 10)))
        with engine.begin() as connection:
            # The rows that a deletion locks before those of the points.
            wanted = embedded_vectors.c.id == deleted
            connection.execute(select(embedded_vectors.c.id).where(wanted).with_for_update()).all()
            computed = {deleted: b"points", kept: b"points"}
            await asyncio.wait_for(storage.vectors.write(lambda rows: rows.complete_points(computed)), LONGEST_S)
            connection.execute(delete(embedded_vectors).where(wanted))
        found = await storage.vectors.snapshot(lambda rows: rows.point_features([deleted, kept]))
        assert found == {kept: b"points"}
        assert await storage.vectors.snapshot(lambda rows: rows.count_pending_points()) == 0
    finally:
        await storage.close()
        engine.dispose()
