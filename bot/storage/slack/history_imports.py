"""Imports of channels' histories, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, insert, select, tuple_, update

from bot.domain.channels import ChannelMode
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import (
    CLOCK_TOLERANCE,
    HistoryImport,
    HistoryPage,
    HistoryStatus,
    NewHistoryImport,
    PastCounts,
    PastMessage,
    message_at,
)
from bot.storage.ports.history import SeenTimes
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import channel_bindings, history_imports, history_messages
from bot.storage.sql.sqlite import record_deletion

FINISHED_KEPT = timedelta(days=30)
"""How long a finished import is kept, so that its message's buttons still say what became of it."""

_imports, _messages = history_imports.c, history_messages.c
_ACTIVE = [status for status in HistoryStatus if status.is_active]
_COLUMNS = [field.name for field in fields(HistoryImport)]


class SqlHistoryImports:
    """Implements ``storage.ports.history.HistoryImports``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def start(self, new: NewHistoryImport, first: HistoryPage | None = None) -> HistoryImport | None:
        """Begin an import, with its first page if that was read. Return None if the channel has one that isn't over."""
        place = (_imports.workspace == new.workspace) & (_imports.channel == new.channel)
        active = select(_imports.id).where(
            place, _imports.is_catch_up.is_(new.is_catch_up), _imports.status.in_(_ACTIVE)
        )

        def work(connection: Connection) -> HistoryImport | None:
            take_advisory_locks(connection, "history", [f"{new.workspace} {new.channel}"])
            now = self._clock()
            connection.execute(delete(history_imports).where(_imports.finished_at < now - FINISHED_KEPT))
            if connection.execute(active).first() is not None:
                return None
            given = {field.name: getattr(new, field.name) for field in fields(NewHistoryImport)}
            begun = HistoryImport(**given, id=0, due_at=now, created_at=now)
            values = {name: getattr(begun, name) for name in _COLUMNS if name != "id"}
            key = connection.execute(insert(history_imports).values(values)).inserted_primary_key
            assert key is not None
            if first is not None:
                _record_page(connection, int(key[0]), first)
            return _import_of(connection.execute(_of(int(key[0]))).one())

        return await self._database.write(work)

    async def get(self, number: int) -> HistoryImport | None:
        """Return an import, or None."""
        row = await self._database.read(lambda connection: connection.execute(_of(number)).first())
        return None if row is None else _import_of(row)

    async def of_channel(self, workspace: WorkspaceId, channel: str) -> HistoryImport | None:
        """Return the newest import of a channel that somebody started, or None."""
        query = (
            select(history_imports)
            .where(_imports.workspace == workspace, _imports.channel == channel, _imports.is_catch_up.is_(False))
            .order_by(_imports.id.desc())
            .limit(1)
        )
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _import_of(row)

    async def due(self, limit: int) -> tuple[HistoryImport, ...]:
        """Return the running imports that may go on now, the one that waited longest first."""
        query = (
            select(history_imports)
            .where(_imports.status == HistoryStatus.RUNNING, _imports.due_at <= self._clock())
            .order_by(_imports.due_at, _imports.id)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(map(_import_of, rows))

    async def record_page(self, number: int, page: HistoryPage) -> None:
        """Record a page of the channel."""
        await self._database.write(lambda connection: _record_page(connection, number, page))

    async def record_replies(self, number: int, thread: str, page: HistoryPage) -> None:
        """Record a page of a thread. The last one removes the thread from what is still to be read."""
        row = (_messages.import_id == number) & _messages.is_thread.is_(True) & (_messages.message == thread)

        def work(connection: Connection) -> None:
            if _record_found(connection, number, page) is None:
                return
            if page.cursor:
                connection.execute(update(history_messages).where(row).values(payload=page.cursor))
            else:
                connection.execute(delete(history_messages).where(row))

        await self._database.write(work)

    async def next_thread(self, number: int) -> tuple[str, str] | None:
        """Return the oldest thread that is still to be read, and the cursor of its next page; None if there is none."""
        query = _left(number, is_thread=True).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else (row.message, row.payload)

    async def next_messages(self, number: int, limit: int, after: str = "") -> tuple[PastMessage, ...]:
        """Return the oldest messages whose pictures are still to be added, of those after a message."""
        query = _left(number, is_thread=False).where(_messages.message > after).limit(limit)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return tuple(PastMessage(row.message, tuple(row.files.split()), row.payload) for row in rows)

    async def begin_messages(self, number: int) -> int:
        """Count an attempt at the next messages, and return how many there were with it."""
        counted = (
            update(history_imports)
            .where(_imports.id == number)
            .values(attempts=_imports.attempts + 1)
            .returning(_imports.attempts)
        )
        return int(await self._database.write(lambda connection: connection.execute(counted).scalar()) or 0)

    async def return_messages(self, number: int) -> None:
        """Take the last attempt back, because it did not end with the process."""
        row = (_imports.id == number) & (_imports.attempts > 0)

        def work(connection: Connection) -> None:
            connection.execute(update(history_imports).where(row).values(attempts=_imports.attempts - 1))

        await self._database.write(work)

    async def finish_messages(self, number: int, messages: Sequence[str], counts: PastCounts) -> None:
        """Remove messages from what is still to be added, and count their pictures."""
        done = (_messages.import_id == number) & _messages.is_thread.is_(False) & _messages.message.in_(messages)
        counted = {
            "added": _imports.added + counts.added,
            "known": _imports.known + counts.known,
            "refused": _imports.refused + counts.refused,
        }

        def work(connection: Connection) -> None:
            if connection.execute(delete(history_messages).where(done)).rowcount:
                row = update(history_imports).where(_imports.id == number)
                connection.execute(row.values(attempts=1, reason="", **counted))

        await self._database.write(work)

    async def list_again(self, number: int) -> None:
        """Forget the cursor, because Slack doesn't take it any more. What was found stays."""
        await self._update(number, cursor="", messages=0)

    async def set_notice(self, number: int, notice: str) -> None:
        """Record the message with the progress."""
        await self._update(number, notice=notice)

    async def set_status(self, number: int, status: HistoryStatus, reason: str = "") -> HistoryImport | None:
        """Change the status of an import that isn't over. Return it, or None if it is over."""
        active = (_imports.id == number) & _imports.status.in_(_ACTIVE)

        def work(connection: Connection) -> HistoryImport | None:
            now = self._clock()
            values: dict[str, Any] = {"status": status, "reason": reason, "due_at": now}
            if not status.is_active:
                values["finished_at"] = now
            if not connection.execute(update(history_imports).where(active).values(values)).rowcount:
                return None
            if not status.is_active:
                connection.execute(delete(history_messages).where(_messages.import_id == number))
            return _import_of(connection.execute(_of(number)).one())

        return await self._database.write(work)

    async def postpone(self, number: int, until: datetime, reason: str = "") -> None:
        """Let an import go on at a later time."""
        await self._update(number, due_at=until, reason=reason)

    async def record_seen(self, seen: SeenTimes) -> None:
        """Record the times of events of watched channels, unless later ones are known."""
        columns = channel_bindings.c
        place = tuple_(columns.workspace, columns.channel)

        def watched(connection: Connection) -> list[tuple[str, str]]:
            rows = [
                row
                for some in in_batches(sorted(seen))
                for row in connection.execute(
                    select(columns.workspace, columns.channel, columns.seen_ts).where(place.in_(some), _ADDS)
                )
            ]
            return [(one.workspace, one.channel) for one in rows if one.seen_ts < seen[one.workspace, one.channel]]

        def work(connection: Connection) -> None:
            for workspace, channel in new:
                moment = seen[WorkspaceId(workspace), channel]
                row = (columns.workspace == workspace) & (columns.channel == channel) & (columns.seen_ts < moment)
                connection.execute(update(channel_bindings).where(row, _ADDS).values(seen_ts=moment))

        # Most events are of channels that aren't watched, and a read does not block writers.
        if new := await self._database.read(watched):
            await self._database.write(work)

    async def seen(self, workspace: WorkspaceId) -> SeenTimes:
        """Return the times of the last events of a workspace's channels that add pictures.

        Before the first event, it is when the settings began, with a tolerance, because Slack's clock may be behind.
        """
        columns = channel_bindings.c
        query = select(columns.channel, columns.seen_ts, columns.changed_at).where(
            columns.workspace == workspace, _ADDS
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {
            (workspace, row.channel): row.seen_ts or message_at((row.changed_at - CLOCK_TOLERANCE).timestamp())
            for row in rows
        }

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete all imports of a workspace."""

        def work(connection: Connection) -> None:
            connection.execute(delete(history_messages).where(_messages.workspace == workspace))
            if connection.execute(delete(history_imports).where(_imports.workspace == workspace)).rowcount:
                record_deletion(connection)

        await self._database.write(work)

    async def _update(self, number: int, **values: Any) -> None:
        def work(connection: Connection) -> None:
            connection.execute(update(history_imports).where(_imports.id == number).values(values))

        await self._database.write(work)


_ADDS: ColumnElement[bool] = channel_bindings.c.mode.in_([ChannelMode.COLLECT, ChannelMode.GUARD])


def _of(number: int) -> Select[Any]:
    return select(history_imports).where(_imports.id == number)


def _left(number: int, *, is_thread: bool) -> Select[Any]:
    rows = (_messages.import_id == number) & _messages.is_thread.is_(is_thread)
    return select(history_messages).where(rows).order_by(_messages.message)


def _record_page(connection: Connection, number: int, page: HistoryPage) -> None:
    if (given := _record_found(connection, number, page)) is None:
        return
    total = given.messages + page.count
    is_enough = bool(given.max_messages) and total >= given.max_messages
    values = {
        "cursor": page.cursor,
        "is_listed": not page.cursor or is_enough,
        "reached": min(filter(None, (given.reached, page.reached)), default=""),
        "is_limited": given.is_limited or page.is_limited,
    }
    connection.execute(update(history_imports).where(_imports.id == number).values(values))


def _record_found(connection: Connection, number: int, page: HistoryPage) -> HistoryImport | None:
    """Record what a page has. Return the import as it was before, or None if it is over."""
    row = connection.execute(_of(number).with_for_update()).first()
    given = None if row is None else _import_of(row)
    if given is None or not given.status.is_active:
        return None
    place: dict[str, Any] = {"import_id": number, "workspace": given.workspace, "channel": given.channel}
    found = [
        place
        | {"is_thread": False, "message": one.message, "files": f" {' '.join(one.files)} ", "payload": one.payload}
        for one in page.messages
    ] + [place | {"is_thread": True, "message": ts, "files": "", "payload": ""} for ts in page.threads]
    listed = {(one["is_thread"], one["message"]): one for one in found}
    known = select(_messages.is_thread, _messages.message).where(
        _messages.import_id == number, _messages.message.in_(sorted({ts for _, ts in listed}))
    )
    there = {(bool(one.is_thread), one.message) for one in connection.execute(known)} if listed else set()
    new = [one for key, one in listed.items() if key not in there]
    if new:
        connection.execute(insert(history_messages), new)
    pictures = sum(len(one["files"].split()) for one in new)
    counted = {"messages": _imports.messages + page.count, "pictures": _imports.pictures + pictures, "reason": ""}
    connection.execute(update(history_imports).where(_imports.id == number).values(counted))
    return given


def _import_of(row: Row[Any]) -> HistoryImport:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values |= {"workspace": WorkspaceId(row.workspace), "status": HistoryStatus(row.status)}
    return HistoryImport(**values)
