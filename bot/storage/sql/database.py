"""Connections, threads and transactions. SQL runs in threads, so that the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendError
from bot.storage.sql.dialect import SqlDialect
from bot.storage.sql.writer_threads import WriterPool

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]
UnitHook = Callable[[], Awaitable[None]]

ATTEMPTS = 4
"""How often a transaction is tried if the database rolls it back because of a conflict."""

_BACKOFF_S = 0.05


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
        self._reading = engine.execution_options(**dialect.read_options)
        self._writing = engine.execution_options(**dialect.write_options)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="storage-read")
        self._writers = WriterPool(dialect.writers, dialect.write_wait_s)
        self._unit: ContextVar[_Unit | None] = ContextVar("unit", default=None)

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on one snapshot; inside a unit that has written, in the unit's transaction."""
        unit = self._current()
        if unit and (unit.connection or unit.deferred):
            return await self.write(work)
        return await self.snapshot(work)

    async def snapshot(self, work: Work[T]) -> T:
        """Run ``work`` on a snapshot of committed data, even inside a unit."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read_now, work)

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in the unit's transaction, or outside of units in its own, which is on disk on return."""
        unit = self._current()
        if unit is None:
            return await self._write_alone(work)
        if unit.connection is None:
            return await self._begin_and_write(unit, work)
        return await self._write_in_unit(unit, work)

    async def write_separately(self, work: Work[T]) -> T:
        """Run ``work`` in its own transaction, even inside a unit. It is on disk on return.

        Raises RuntimeError if the unit's transaction has begun, because the two could wait for each other for ever.
        """
        unit = self._current()
        if unit is None:
            return await self.write(work)
        async with unit.begin_lock:
            if unit.connection is not None:
                raise RuntimeError("The unit's transaction has begun. Nothing can be written outside it.")
            return await self._write_alone(work)

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

    async def close(self) -> None:
        """Wait for running work, then close the connections."""

        def finish() -> None:
            self._readers.shutdown()
            self._writers.close()
            self._engine.dispose()

        await asyncio.to_thread(finish)

    def _current(self) -> _Unit | None:
        unit = self._unit.get()
        # A task that was started inside a unit may outlive it. From then on it is outside.
        return None if unit is None or unit.closed else unit

    async def _write_alone(self, work: Work[T]) -> T:
        async with self._writers.writer() as writer:
            return await self._run_in(writer, self._write_now, work)

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
            await self._run_in(unit.writer, self._finish, unit, unit.connection, commit)
        finally:
            self._writers.release(unit.writer)

    def _begin_and_write_now(self, unit: _Unit, work: Work[T]) -> T:
        connection = self._writing.connect()
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        unit.connection = connection
        _run_all(unit.deferred, connection)
        unit.deferred.clear()
        return work(connection)

    def _write_deferred_now(self, unit: _Unit) -> None:
        self._write_now(partial(_run_all, unit.deferred))
        unit.committed = True

    def _read_now(self, work: Work[T]) -> T:
        with self._translating_errors():
            try:
                return self._read_once(work)
            except SQLAlchemyError as error:
                if not self._dialect.is_connection_lost(error):
                    raise
            return self._read_once(work)

    def _read_once(self, work: Work[T]) -> T:
        with self._reading.connect() as connection, connection.begin():
            return work(connection)

    def _write_now(self, work: Work[T]) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return self._write_once(work)
            except SQLAlchemyError as error:
                if not self._dialect.is_rolled_back(error):
                    raise
            time.sleep(_BACKOFF_S * attempt * random.random())  # noqa: S311 - not used for security
        return self._write_once(work)

    def _write_once(self, work: Work[T]) -> T:
        with self._writing.connect() as connection, connection.begin() as transaction:
            result = work(connection)
            self._commit(transaction)
            return result

    def _finish(self, unit: _Unit, connection: Connection, commit: bool) -> None:
        transaction = connection.get_transaction()
        try:
            if commit and transaction is not None:
                self._commit(transaction)
                unit.committed = True
            elif transaction is not None:
                transaction.rollback()
        finally:
            connection.close()

    def _commit(self, transaction: RootTransaction) -> None:
        try:
            transaction.commit()
        except SQLAlchemyError as error:
            translated = self._dialect.translate_error(error)
            # The database may have committed although its answer was lost.
            translated.may_have_been_done = self._dialect.is_connection_lost(error)
            raise translated from error

    async def _run_in(self, writer: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        """Run ``work`` in a writer's thread. A cancelled caller still waits, because it holds what the work uses."""
        future = asyncio.get_running_loop().run_in_executor(writer, self._run, work, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                try:
                    await asyncio.wait([future])
                except asyncio.CancelledError:
                    continue
            # Retrieve the exception, or asyncio logs that it never was.
            future.exception()
            raise

    def _run(self, work: Callable[..., T], *arguments: object) -> T:
        with self._translating_errors():
            return work(*arguments)

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._dialect.translate_error(error) from error


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
