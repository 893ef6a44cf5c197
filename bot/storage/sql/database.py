"""Connections, threads and transactions. SQL runs in threads, so that the event loop never waits for a disk."""

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
"""Of a transaction that the database takes back for another's sake."""

_BACKOFF_S = 0.05


class _Unit:
    """A transaction that is begun when first needed, what is left for its end, and what is to follow that."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.writer: ThreadPoolExecutor | None = None
        self.deferred: list[Work[None]] = []
        self.opening = asyncio.Lock()
        self.closed = False
        self.committed = False
        self.afterwards: list[UnitHook] = []
        self.otherwise: list[UnitHook] = []


class Database:
    """Reads on some threads, writes on as many as the kind of database takes at once."""

    def __init__(self, engine: Engine, readers: int, dialect: SqlDialect) -> None:
        self._engine = engine
        self._dialect = dialect
        self._reading = engine.execution_options(**dialect.read_options)
        self._writing = engine.execution_options(**dialect.write_options)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="storage-read")
        self._writers = WriterPool(dialect.writers, dialect.write_wait_s)
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
            return await self._write_alone(work)
        if unit.connection is None:
            return await self._write_first(unit, work)
        return await self._write_next(unit, work)

    async def write_apart(self, work: Work[T]) -> T:
        """Run ``work`` in a transaction of its own even inside a unit, and commit it on disk.

        Raises RuntimeError if the unit has begun its own transaction: each would wait for the other to end.
        """
        unit = self._current()
        if unit is None:
            return await self.write(work)
        async with unit.opening:
            if unit.connection is not None:
                raise RuntimeError("Nothing can be written apart from a unit that has begun to write.")
            return await self._write_alone(work)

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
            async with self._finishing(unit):
                yield
        except BaseException:
            # Whoever was cancelled while it was being committed finds it committed.
            if not unit.committed:
                await _run_hooks(unit.otherwise)
            raise
        finally:
            self._unit.reset(token)
        for hook in unit.afterwards:
            await hook()

    @property
    def in_unit(self) -> bool:
        """Whether the caller is inside a unit."""
        return self._current() is not None

    async def after_commit(self, hook: UnitHook) -> None:
        """Run ``hook`` once the unit is committed (never if it is rolled back); at once outside of one."""
        unit = self._current()
        if unit:
            unit.afterwards.append(hook)
        else:
            await hook()

    async def after_rollback(self, hook: UnitHook) -> None:
        """Run ``hook`` if the unit is rolled back; never outside of one. Where it fails too, only the log says so."""
        unit = self._current()
        if unit:
            unit.otherwise.append(hook)

    def autocommit_connection(self) -> Connection:
        """A connection for statements that stand outside of transactions. For threads; whoever has it closes it."""
        return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        """Finish what runs and close the connections."""

        def finish() -> None:
            self._readers.shutdown()
            self._writers.close()
            self._engine.dispose()

        await asyncio.to_thread(finish)

    def _current(self) -> _Unit | None:
        unit = self._unit.get()
        # A task that was started inside a unit and outlived it is on its own again.
        return None if unit is None or unit.closed else unit

    async def _write_alone(self, work: Work[T]) -> T:
        async with self._writers.writer() as writer:
            return await self._run_in(writer, self._write_now, work)

    async def _write_deferred(self, unit: _Unit) -> None:
        async with self._writers.writer() as writer:
            await self._run_in(writer, self._write_deferred_now, unit)

    async def _write_first(self, unit: _Unit, work: Work[T]) -> T:
        """Begin the unit's transaction, do what was deferred, and run ``work``: others may wait while it is open."""
        async with unit.opening:
            if unit.connection is None:
                writer = unit.writer = await self._writers.acquire()
                try:
                    return await self._run_in(writer, self._write_opening, unit, work)
                except BaseException:
                    # A cancelled caller may find the transaction begun: then the unit's end gives the writer back.
                    if unit.connection is None:
                        self._writers.release(writer)
                    raise
        return await self._write_next(unit, work)

    async def _write_next(self, unit: _Unit, work: Work[T]) -> T:
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

    def _write_deferred_now(self, unit: _Unit) -> None:
        self._write_now(partial(_all, unit.deferred))
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
            time.sleep(_BACKOFF_S * attempt * random.random())  # noqa: S311 - nothing secret about it
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
            meaning = self._dialect.translate_error(error)
            # The answer is missing, and not always the commit.
            meaning.may_have_been_done = self._dialect.is_connection_lost(error)
            raise meaning from error

    async def _run_in(self, writer: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        """Run in a writer's thread. A cancelled caller still waits: what it holds must outlast the work."""
        future = asyncio.get_running_loop().run_in_executor(writer, self._run, work, *arguments)
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

    def _run(self, work: Callable[..., T], *arguments: object) -> T:
        with self._translating_errors():
            return work(*arguments)

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise self._dialect.translate_error(error) from error


def _all(works: Sequence[Work[None]], connection: Connection) -> None:
    for work in works:
        work(connection)


async def _run_hooks(hooks: Sequence[UnitHook]) -> None:
    for hook in hooks:
        try:
            await hook()
        except BackendError as error:
            # What led to the rollback is what is to be told.
            log.warning("what follows a rollback failed as well: %s", error)
