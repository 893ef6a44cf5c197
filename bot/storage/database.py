"""Connections, threads and transactions. SQL runs in threads, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bot.errors import BackendDown, BackendError, BackendTimeout
from bot.storage import sqlite

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]
FollowUp = Callable[[], Awaitable[None]]


class _Unit:
    """A transaction that is begun when first needed, what is left for its end, and what is to follow that."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.deferred: list[Work[None]] = []
        self.opening = asyncio.Lock()
        self.closed = False
        self.committed = False
        self.afterwards: list[FollowUp] = []
        self.otherwise: list[FollowUp] = []


class Database:
    """Reads on a few threads, writes on one: SQLite takes one writer, and waiting for it here costs no spinning."""

    def __init__(self, engine: Engine, readers: int) -> None:
        self._engine = engine
        self._writing = engine.execution_options(immediate=True)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="storage-read")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="storage-write")
        self._lock = asyncio.Lock()
        self._unit: ContextVar[_Unit | None] = ContextVar("unit", default=None)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot; inside a unit that has written, on the unit's transaction."""
        unit = self._current()
        if unit and (unit.connection or unit.deferred):
            return await self.write(work)
        return await self.snapshot(work)

    async def snapshot(self, work: Work[T]) -> T:
        """Run ``work`` on what is committed, even inside a unit."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_now, work)

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction of its own, or in the unit's. It is committed on disk when this returns."""
        unit = self._current()
        if unit is None:
            async with self._lock:
                return await self._in_writer(self._write_now, work)
        if unit.connection is None:
            return await self._write_first(unit, work)
        return await self._in_writer(work, unit.connection)

    async def apart(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction of its own even inside a unit, and commit it on disk.

        Raises RuntimeError if the unit has begun its own transaction: each would wait for the other to end.
        """
        unit = self._current()
        if unit is None:
            return await self.write(work)
        async with unit.opening:
            if unit.connection is not None:
                raise RuntimeError("Nothing can be written apart from a unit that has begun to write.")
            async with self._lock:
                return await self._in_writer(self._write_now, work)

    async def defer(self, work: Work[None]) -> None:
        """Write what nobody waits for a result of: inside a unit at its end, all in one go; outside, at once.

        The fewer times a unit crosses between threads with its transaction open, the sooner the next one may write.
        """
        unit = self._current()
        if unit is None or unit.connection is not None:
            await self.write(work)
        else:
            unit.deferred.append(work)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[None]:
        """One transaction for all writes awaited inside; an inner unit is part of the outer one."""
        if self._current():
            yield
            return
        unit = _Unit()
        token = self._unit.set(unit)
        try:
            async with self._ending(unit):
                yield
        except BaseException:
            # Whoever was cancelled while it was being committed finds it committed.
            if not unit.committed:
                await _follow_rollback(unit.otherwise)
            raise
        finally:
            self._unit.reset(token)
        for follow in unit.afterwards:
            await follow()

    @property
    def in_unit(self) -> bool:
        """Whether the caller is inside a unit."""
        return self._current() is not None

    async def afterwards(self, follow: FollowUp) -> None:
        """Run ``follow`` once the unit is committed (never if it is rolled back); at once outside of one."""
        unit = self._current()
        if unit:
            unit.afterwards.append(follow)
        else:
            await follow()

    async def otherwise(self, follow: FollowUp) -> None:
        """Run ``follow`` if the unit is rolled back; never outside of one. Where it fails too, only the log says so."""
        unit = self._current()
        if unit:
            unit.otherwise.append(follow)

    async def close(self) -> None:
        """Finish what runs and close the connections."""

        def finish() -> None:
            self._readers.shutdown()
            self._writer.shutdown()
            self._engine.dispose()

        await asyncio.to_thread(finish)

    def _current(self) -> _Unit | None:
        unit = self._unit.get()
        # A task that was started inside a unit and outlived it is on its own again.
        return None if unit is None or unit.closed else unit

    async def _write_first(self, unit: _Unit, work: Work[T]) -> T:
        """Begin the unit's transaction, do what was deferred, and run ``work``: all others wait while it is open."""
        async with unit.opening:
            if unit.connection is None:
                await self._lock.acquire()
                try:
                    return await self._in_writer(self._write_opening, unit, work)
                except BaseException:
                    # A cancelled caller may find the transaction begun: then the unit's end lets go of the lock.
                    if unit.connection is None:
                        self._lock.release()
                    raise
        return await self._in_writer(work, unit.connection)

    @asynccontextmanager
    async def _ending(self, unit: _Unit) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await self._end(unit, commit=False)
            raise
        await self._end(unit, commit=True)

    async def _end(self, unit: _Unit, *, commit: bool) -> None:
        unit.closed = True
        if unit.connection is not None:
            try:
                await self._in_writer(_finish, unit, unit.connection, commit)
            finally:
                self._lock.release()
        elif commit and unit.deferred:
            async with self._lock:
                await self._in_writer(self._write_deferred, unit)
        else:
            unit.committed = commit

    def _write_opening(self, unit: _Unit, work: Work[T]) -> T:
        connection = self._writing.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        unit.connection = connection
        _all(unit.deferred, connection)
        unit.deferred.clear()
        return work(connection)

    def _write_deferred(self, unit: _Unit) -> None:
        self._write_now(partial(_all, unit.deferred))
        unit.committed = True

    def _read_now(self, work: Work[T]) -> T:
        with _told_plainly(), self._engine.connect() as connection, connection.begin():
            return work(connection)

    def _write_now(self, work: Work[T]) -> T:
        with self._writing.begin() as connection:
            return work(connection)

    async def _in_writer(self, work: Callable[..., T], *arguments: object) -> T:
        """Run in the writer's thread. A cancelled caller still waits: the lock must outlast the work."""
        future = asyncio.get_running_loop().run_in_executor(self._writer, _run, work, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                try:
                    await asyncio.wait([future])
                except asyncio.CancelledError:
                    continue
            # Its caller is gone; a failure that nobody asks for would be printed.
            future.exception()
            raise


def _all(works: Sequence[Work[None]], connection: Connection) -> None:
    for work in works:
        work(connection)


async def _follow_rollback(follow_ups: Sequence[FollowUp]) -> None:
    for follow in follow_ups:
        try:
            await follow()
        except BackendError as error:
            # What led to the rollback is what is to be told.
            log.warning("what follows a rollback failed as well: %s", error)


def _finish(unit: _Unit, connection: Connection, commit: bool) -> None:
    try:
        if commit:
            connection.commit()
            unit.committed = True
        else:
            connection.rollback()
    finally:
        connection.close()


def _run(work: Callable[..., T], *arguments: object) -> T:
    with _told_plainly():
        return work(*arguments)


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else None
        if sqlite.is_busy(cause):
            raise BackendTimeout("Another process held the database for too long.") from error
        raise BackendDown(f"Storage failed: {cause or error}") from error
