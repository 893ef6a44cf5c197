"""The queue of pending removals: claim what is due, and record what was removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Executable, case, delete, func, select, tuple_, update

from bot.storage.ports.removals import ClaimedRemoval, PendingCounts
from bot.storage.removals.rows import PICTURE_LOCKS, RemovalKind, RemovalState
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import images, pending_removals

CLAIM = timedelta(minutes=2)
"""How long a process may take for one claim. Others take it over afterwards, because the process has died."""

DONE_KEPT = timedelta(days=1)
"""How long finished removals are kept. No add takes as long."""

_FIRST_DELAY_S, _MAX_DELAY_S = 10.0, 6 * 3600.0

_removals = pending_removals.c


class SqlPendingRemovals:
    """The queue, shared by all processes. A removal is never given up; failures only delay it."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def claim_pictures(self, limit: int, digests: Collection[str] | None = None) -> Sequence[ClaimedRemoval]:
        """Claim removals of pictures that no image uses: of ``digests``, or up to ``limit`` that are due.

        Removals of pictures that an image uses are cancelled.
        """
        is_due = self._is_due(RemovalKind.PICTURE)
        if digests is not None:
            is_due = self._is_claimable(RemovalKind.PICTURE) & _removals.name.in_(list(digests))

        def work(connection: Connection) -> list[ClaimedRemoval]:
            names = connection.execute(
                select(_removals.name).where(is_due).order_by(_removals.due_at, _removals.id).limit(limit)
            ).scalars()
            wanted = list(names)
            if not wanted:
                return []
            # Adds take the same locks, so that an image is either seen here or its add sees the claim.
            take_advisory_locks(connection, PICTURE_LOCKS, wanted)
            used = list(connection.execute(select(images.c.digest).where(images.c.digest.in_(wanted))).scalars())
            ours = is_due & _removals.name.in_(wanted)
            if used:
                connection.execute(delete(pending_removals).where(ours, _removals.name.in_(used)))
            return self._claim(connection, ours)

        return await self._database.write(work)

    async def claim_uploads(self, workspace: str, limit: int) -> Sequence[ClaimedRemoval]:
        """Claim up to ``limit`` due removals of uploads of a workspace."""
        is_due = self._is_due(RemovalKind.UPLOAD) & (_removals.workspace == workspace)

        def work(connection: Connection) -> list[ClaimedRemoval]:
            due = select(_removals.id).where(is_due).order_by(_removals.due_at, _removals.id).limit(limit)
            ids = connection.execute(due.with_for_update(skip_locked=True)).scalars().all()
            return self._claim(connection, _removals.id.in_(ids)) if ids else []

        return await self._database.write(work)

    async def finish(self, removals: Iterable[ClaimedRemoval]) -> None:
        """Record that these were removed. Those that were queued again meanwhile become due again."""
        now = self._clock()
        state = case((_removals.again.is_(True), RemovalState.WAITING.value), else_=RemovalState.DONE.value)
        due = case((_removals.again.is_(True), now), else_=now + DONE_KEPT)
        await self._settle(removals, {"state": state, "due_at": due, "attempts": 0, "again": False})

    async def postpone(self, removals: Iterable[ClaimedRemoval]) -> None:
        """Try these again later: after seconds at first, and hours at most."""
        now = self._clock()

        def work(connection: Connection) -> None:
            for removal in removals:
                ours = _is_claim(removal)
                attempts = connection.execute(select(_removals.attempts).where(ours)).scalar()
                if attempts is not None:
                    delay = timedelta(seconds=min(_FIRST_DELAY_S * 2 ** min(attempts, 20), _MAX_DELAY_S))
                    values = {"state": RemovalState.WAITING, "due_at": now + delay, "attempts": attempts + 1}
                    connection.execute(update(pending_removals).where(ours).values(**values, again=False))

        await self._database.write(work)

    async def release_abandoned(self, is_alone: Callable[[], bool]) -> None:
        """Make claimed removals due now if no other process is left. Call it before this process claims any.

        ``is_alone`` says whether every other process has ended. It blocks.
        """
        # With the kinds, so that the index is used.
        claimed = _removals.kind.in_(list(RemovalKind)) & (_removals.state == RemovalState.CLAIMED)
        query = select(_removals.id, _removals.name, _removals.claims).where(claimed)
        # Read first: a process that claims between the two is alive, and keeps its claim.
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        alone = await asyncio.to_thread(is_alone) if rows else False
        if alone:
            await self._settle([ClaimedRemoval(*row) for row in rows], {"due_at": self._clock()})

    async def retry_failed(self, kind: RemovalKind) -> bool:
        """Make postponed removals due now, because what failed works again. Return whether there were any."""
        failed = (_removals.kind == kind) & (_removals.state == RemovalState.WAITING) & (_removals.attempts > 0)
        failed &= _removals.due_at > self._clock()
        query = select(_removals.id).where(failed).limit(1)
        if found := await self._database.read(lambda connection: connection.execute(query).first()):
            due = update(pending_removals).where(failed).values(due_at=self._clock())
            await self._database.write(lambda connection: _execute(connection, due))
        return found is not None

    async def drop_uploads(self, workspace: str) -> int:
        """Delete all removals of a workspace's uploads, which can't be made any more. Return how many were open."""
        ours = (_removals.kind == RemovalKind.UPLOAD) & (_removals.workspace == workspace)

        def work(connection: Connection) -> int:
            open_ones = ours & (_removals.state != RemovalState.DONE)
            count = connection.execute(select(func.count()).select_from(pending_removals).where(open_ones)).scalar_one()
            connection.execute(delete(pending_removals).where(ours))
            return count

        return await self._database.write(work)

    async def workspaces(self) -> Sequence[str]:
        """Return the workspaces with uploads to remove that are due."""
        query = select(_removals.workspace).where(self._is_due(RemovalKind.UPLOAD)).distinct()
        return await self._database.read(lambda connection: connection.execute(query).scalars().all())

    async def forget_done(self) -> None:
        """Delete finished removals that are older than a day."""
        old = (_removals.state == RemovalState.DONE) & (_removals.due_at < self._clock())
        query = select(_removals.id).where(old).limit(1)
        if await self._database.read(lambda connection: connection.execute(query).first()):
            await self._database.write(lambda connection: _execute(connection, delete(pending_removals).where(old)))

    async def counts(self) -> PendingCounts:
        """Return how many removals are open, and how many of these have failed before."""
        is_open = _removals.state != RemovalState.DONE

        def work(connection: Connection) -> PendingCounts:
            failed = func.coalesce(func.sum(case((_removals.attempts > 0, 1), else_=0)), 0)
            row = connection.execute(select(func.count(), failed).select_from(pending_removals).where(is_open)).one()
            return PendingCounts(row[0], int(row[1]))

        return await self._database.read(work)

    def _is_due(self, kind: RemovalKind) -> ColumnElement[bool]:
        states = _removals.state.in_((RemovalState.WAITING, RemovalState.CLAIMED))
        return (_removals.kind == kind) & states & (_removals.due_at <= self._clock())

    def _is_claimable(self, kind: RemovalKind) -> ColumnElement[bool]:
        # Whoever names a removal does not wait for its delay, but never takes it from a living process.
        waiting = (_removals.kind == kind) & (_removals.state == RemovalState.WAITING)
        return waiting | self._is_due(kind)

    def _claim(self, connection: Connection, ours: ColumnElement[bool]) -> list[ClaimedRemoval]:
        values = {"state": RemovalState.CLAIMED, "claims": _removals.claims + 1, "due_at": self._clock() + CLAIM}
        claimed = update(pending_removals).where(ours).values(values)
        rows = connection.execute(claimed.returning(_removals.id, _removals.name, _removals.claims)).all()
        return [ClaimedRemoval(*row) for row in rows]

    async def _settle(self, removals: Iterable[ClaimedRemoval], values: dict[str, object]) -> None:
        settled = list(removals)

        def work(connection: Connection) -> None:
            ours = tuple_(_removals.id, _removals.claims).in_([(removal.id, removal.claims) for removal in settled])
            claimed = _removals.state == RemovalState.CLAIMED
            connection.execute(update(pending_removals).where(ours, claimed).values(values))

        if settled:
            await self._database.write(work)


def _is_claim(removal: ClaimedRemoval) -> ColumnElement[bool]:
    return (
        (_removals.id == removal.id) & (_removals.claims == removal.claims) & (_removals.state == RemovalState.CLAIMED)
    )


def _execute(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)
