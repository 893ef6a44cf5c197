"""Plans of statements that one workspace's work makes: none of them reads other workspaces' rows one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.domain.pages import PageRequest
from bot.storage.sql_storage import SqlStorage
from tests.fakes.inbox import share
from tests.fixtures.storages import StoragePlace

ONE = WorkspaceId("T1")
PARTS = DatabaseKey(ONE, DatabaseName("parts"))
GROWING = ("inbox", "inbox_files", "unshared_files", "images", "image_origins", "pending_removals", "feedback_labels")


@contextmanager
def statements(storage: SqlStorage) -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements that are executed inside the context."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, is_many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            seen.append((statement, parameters[0] if is_many else parameters))

    engine = storage._database._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def work_of_one_workspace(storage: SqlStorage) -> None:
    """Do what a share, its job and a look at the workspace do."""
    inbox = storage.inbox
    await inbox.put(share(1))
    await inbox.is_waiting(share(1))
    (claimed,) = await inbox.claim("w", 1, 15.0)
    job = await inbox.begin(claimed)
    assert job is not None
    await inbox.extend("w", [job.id], 15.0)
    await inbox.mark_answering(job)
    await inbox.is_wanted(job.id, "F1")
    await inbox.newest_share(ONE, "C1")
    await inbox.depth(ONE)
    await inbox.finish(job)
    await inbox.withdraw(ONE, file="F1")
    catalogue = storage.catalogue
    await catalogue.create_database(PARTS)
    await catalogue.databases(ONE)
    await catalogue.page(PARTS, PageRequest(limit=7))
    await catalogue.records(PARTS, [DataId("1")])
    await catalogue.known_pictures(PARTS, ["ab"])
    await catalogue.with_digest(PARTS, "ab")
    await catalogue.of_entity(PARTS, EntityId("valve"))
    await catalogue.holds(ONE, "ab")
    await catalogue.origin_channels(PARTS)


async def test_one_workspaces_work_scans_no_table_that_grows(tmp_path: Path) -> None:
    storage = await StoragePlace(tmp_path, None).open()
    with statements(storage) as seen:
        await work_of_one_workspace(storage)

    def plans(connection: Connection) -> dict[str, list[str]]:
        return {
            statement: [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in seen
        }

    found = await storage._database.read(plans)
    await storage.close()
    assert len(found) > 10
    scans = {
        (statement, step)
        for statement, steps in found.items()
        for step in steps
        if step.startswith("SCAN") and step.split()[1] in GROWING
    }
    assert scans == set()
