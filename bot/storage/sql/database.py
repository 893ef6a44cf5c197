"""Threads and units of work. SQL runs in threads, so that the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from bot.domain.errors import BackendError
from bot.storage.sql.dialect import SqlDialect
from bot.storage.sql.transactions import Transactions, Work
from bot.storage.sql.writer_threads import WriterPool, run_to_end

log = logging.getLogger(__name__)

T = TypeVar("T")
UnitHook = Callable[[], Awaitable[None]]

WRITE_FAILURE_S = 30.0
"""How long a failed write counts as a sign that the database can't be written, unless a later one succeeds."""


class _Unit:
    """The state of a unit of work. Its transaction begins with the first write that can't be deferred."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.writer: ThreadPoolExecutor | None = None
        self.deferred: list[Work[None]] = []
        self.begin_lock = asyncio.Lock()
        self.closed = False
        self.committed = False
        self.commit_hooks: list[UnitHook] = []
        self.rollback_hooks: list[UnitHook] = []


class Database:
    """Runs reads and writes in threads: ``readers`` for reads, and as many writers as the dialect allows."""

    def __init__(self, engine: Engine, readers: int, dialect: SqlDialect) -> None:
        self._engine = engine
        self._dialect = dialect
        self._transactions = Transactions(engine, dialect)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="storage-read")
        self._writers = WriterPool(dialect.writers, dialect.write_wait_s)
        self._unit: ContextVar[_Unit | None] = ContextVar("unit", default=None)
        self._write_failure: tuple[float, BackendError] | None = None
        self._urgent_write: float | None = None

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot; inside a unit that has written, in the unit's transaction."""
        unit = self._current()
        if unit and (unit.connection or unit.deferred):
            return await self.write(work)
        return await self.snapshot(work)

    async def snapshot(self, work: Work[T]) -> T:
        """Run ``work`` on a snapshot of committed data, even inside a unit."""
        # Statements belong to the caller's trace.
        run = copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._readers, run, self._transactions.read, work)

    async def check(self) -> None:
        """Return if the database can be read, and if writes don't fail at the moment. Writes nothing itself.

        Raises BackendError.
        """
        await self.snapshot(self._dialect.check)
        if self._write_failure is not None and time.monotonic() - self._write_failure[0] < WRITE_FAILURE_S:
            raise self._write_failure[1]

    async def write(self, work: Work[T], *, first: bool = False) -> T:
        """Run ``work`` in the unit's transaction, or outside of units in its own, which is on disk on return.

        ``first``: outside of units, ahead of all other writes that wait. It is for short writes that Slack waits for.
        """
        if first:
            self._urgent_write = time.monotonic()
        unit = self._current()
        if unit is None:
            return await self._write_alone(work, first=first)
        if unit.connection is None:
            return await self._begin_and_write(unit, work)
        return await self._write_in_unit(unit, work)

    async def write_separately(self, work: Work[T]) -> T:
        """Run ``work`` in its own transaction, even inside a unit. It is on disk on return.

        Raises RuntimeError if the unit's transaction has begun.
        """
        return await self.run_separately(lambda: self._write_alone(work))

    async def run_separately(self, action: Callable[[], Awaitable[T]]) -> T:
        """Run ``action`` outside of the current unit, so that its writes have their own transactions.

        Raises RuntimeError if the unit's transaction has begun, because the two could wait for each other for ever.
        """
        unit = self._current()
        if unit is None:
            return await action()
        async with unit.begin_lock:
            if unit.connection is not None:
                raise RuntimeError("The unit's transaction has begun. Nothing can be written outside it.")
            token = self._unit.set(None)
            try:
                return await action()
            finally:
                self._unit.reset(token)

    async def defer(self, work: Work[None]) -> None:
        """Run work without a result: inside a unit at its end, together with other deferred work; outside at once.

        Each switch between threads holds the unit's transaction open for longer. Deferring saves these switches.
        """
        unit = self._current()
        if unit is None or unit.connection is not None:
            await self.write(work)
        else:
            unit.deferred.append(work)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[None]:
        """Run all writes awaited inside in one transaction. An inner unit joins the outer one."""
        if self._current():
            yield
            return
        unit = _Unit()
        token = self._unit.set(unit)
        try:
            async with self._finishing(unit):
                yield
        except BaseException:
            # If the caller is cancelled during the commit, the unit is still committed.
            if not unit.committed:
                await _run_hooks(unit.rollback_hooks)
            raise
        finally:
            self._unit.reset(token)
        for hook in unit.commit_hooks:
            await hook()

    @property
    def in_unit(self) -> bool:
        """True if the caller is inside a unit."""
        return self._current() is not None

    async def after_commit(self, hook: UnitHook) -> None:
        """Run ``hook`` after the unit has committed, and not if it is rolled back. Outside of units, run it now."""
        unit = self._current()
        if unit:
            unit.commit_hooks.append(hook)
        else:
            await hook()

    async def after_rollback(self, hook: UnitHook) -> None:
        """Run ``hook`` if the unit is rolled back; outside of units, never. A hook's BackendError is only logged."""
        unit = self._current()
        if unit:
            unit.rollback_hooks.append(hook)

    def autocommit_connection(self) -> Connection:
        """Open a connection for statements that can't run in a transaction. Blocks. The caller closes it."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    async def checkpoint(self) -> None:
        """Copy the database's log without holding up writers, so that no commit has to."""
        await self._run_on_engine(self._dialect.checkpoint)

    async def scrub(self) -> bool:
        """Remove deleted content from the database's log. Return False if it has to be tried again."""
        return await self._run_on_engine(self._dialect.scrub)

    async def compact(self, copy_limit_s: float, quiet_s: float = 0.0) -> bool:
        """Rewrite the database's file if deletions may have left something in it. Other writes wait.

        Return False if it has to be tried again: when copying the rows takes longer than ``copy_limit_s``, or when
        Slack waited for a write less than ``quiet_s`` ago, because it may soon wait for another.
        """
        if self._urgent_write is not None and time.monotonic() - self._urgent_write < quiet_s:
            return False
        async with self._writers.writer() as writer:
            return await self._run_in(writer, self._dialect.compact, self._engine, copy_limit_s)

    async def close(self) -> None:
        """Wait for running work, then close the connections."""

        def finish() -> None:
            self._readers.shutdown()
            self._writers.close()
            self._engine.dispose()

        await asyncio.to_thread(finish)

    async def _run_on_engine(self, work: Callable[[Engine], T]) -> T:
        def run() -> T:
            with self._transactions.translating_errors():
                return work(self._engine)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def _current(self) -> _Unit | None:
        unit = self._unit.get()
        # A task that was started inside a unit may outlive it. From then on it is outside.
        return None if unit is None or unit.closed else unit

    async def _write_alone(self, work: Work[T], *, first: bool = False) -> T:
        async with self._writers.writer(first=first) as writer:
            return await self._run_in(writer, self._transactions.write, work)

    async def _write_deferred(self, unit: _Unit) -> None:
        async with self._writers.writer() as writer:
            await self._run_in(writer, self._write_deferred_now, unit)

    async def _begin_and_write(self, unit: _Unit, work: Work[T]) -> T:
        """Begin the unit's transaction, run the deferred work, then ``work``."""
        async with unit.begin_lock:
            if unit.connection is None:
                writer = unit.writer = await self._writers.acquire()
                try:
                    return await self._run_in(writer, self._begin_and_write_now, unit, work)
                except BaseException:
                    # If the transaction began before the caller was cancelled, the unit's end releases the writer.
                    if unit.connection is None:
                        self._writers.release(writer)
                    raise
        return await self._write_in_unit(unit, work)

    async def _write_in_unit(self, unit: _Unit, work: Work[T]) -> T:
        assert unit.writer is not None
        return await self._run_in(unit.writer, work, unit.connection)

    @asynccontextmanager
    async def _finishing(self, unit: _Unit) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await self._end(unit, commit=False)
            raise
        await self._end(unit, commit=True)

    async def _end(self, unit: _Unit, *, commit: bool) -> None:
        unit.closed = True
        if unit.connection is None:
            if commit and unit.deferred:
                await self._write_deferred(unit)
            else:
                unit.committed = commit
            return
        assert unit.writer is not None
        try:
            await self._run_in(unit.writer, self._end_now, unit, unit.connection, commit)
        finally:
            self._writers.release(unit.writer)

    def _begin_and_write_now(self, unit: _Unit, work: Work[T]) -> T:
        connection = unit.connection = self._transactions.begin()
        _run_all(unit.deferred, connection)
        unit.deferred.clear()
        return work(connection)

    def _write_deferred_now(self, unit: _Unit) -> None:
        self._transactions.write(partial(_run_all, unit.deferred))
        unit.committed = True

    def _end_now(self, unit: _Unit, connection: Connection, commit: bool) -> None:
        transaction = connection.get_transaction()
        try:
            if commit and transaction is not None:
                self._transactions.commit(transaction)
                unit.committed = True
            elif transaction is not None:
                transaction.rollback()
        finally:
            connection.close()

    async def _run_in(self, writer: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        """Run ``work`` in a writer's thread. A cancelled caller still waits, because it holds what the work uses."""
        future = asyncio.get_running_loop().run_in_executor(writer, copy_context().run, self._run, work, *arguments)
        return await run_to_end(future)

    def _run(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            with self._transactions.translating_errors():
                result = work(*arguments)
        except BackendError as error:
            cause = error.__cause__
            # A lost connection is replaced by the next use. Whether the server answers, a read finds out.
            if isinstance(cause, OperationalError) and not self._dialect.is_connection_lost(cause):
                self._write_failure = time.monotonic(), error
            raise
        self._write_failure = None
        return result


def _run_all(works: Sequence[Work[None]], connection: Connection) -> None:
    for work in works:
        work(connection)


async def _run_hooks(hooks: Sequence[UnitHook]) -> None:
    for hook in hooks:
        try:
            await hook()
        except BackendError as error:
            # Only logged, so that the caller gets the error that caused the rollback.
            log.warning("a rollback hook failed: %s", error)
