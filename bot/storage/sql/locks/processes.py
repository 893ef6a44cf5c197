"""Locks that exclude other processes without a transaction, so that their holder may wait for a slow service."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendDown, BackendTimeout
from bot.storage.sql import postgres
from bot.storage.sql.locks.advisory import lock_key

if sys.platform != "win32":
    import fcntl

WAIT_S = 60.0
"""How long to wait for a lock. The hosted service may take several seconds for each search."""

_POLL_S = 0.02
_FILES = 256
"""Greatest number of lock files. Two names that share a file by chance only wait for each other."""

_OUTER = "history:"
"""Locks whose holders take others meanwhile. They share no files with these, or a process would wait for itself."""

_TRY = text("SELECT pg_try_advisory_lock(:key)")
_UNLOCK = text("SELECT pg_advisory_unlock(:key)")


class LockTable(Protocol):
    """Locks by name that exclude other processes. Methods block."""

    def try_acquire(self, name: str) -> bool:
        """Take a lock that this table doesn't hold, or return False if another process has it."""
        ...

    def release(self, name: str) -> None:
        """Release a lock that this table holds."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


class ProcessLocks:
    """Implements ``ports.storage.ProcessLocks``: tasks of this process wait in order, other processes are polled."""

    def __init__(self, table: LockTable, wait_s: float = WAIT_S) -> None:
        self._table = table
        self._wait_s = wait_s
        self._locks: MutableMapping[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Hold a lock. The operating system or the server releases it if the process ends.

        Raises BackendTimeout if another process holds it for too long.
        """
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            await self._acquire(name)
            try:
                yield
            finally:
                # Shielded, because a cancelled caller must not leave the lock behind.
                await asyncio.shield(asyncio.to_thread(self._table.release, name))

    @asynccontextmanager
    async def try_hold(self, name: str) -> AsyncIterator[bool]:
        """Hold a lock if neither this process nor another does, and yield whether it is held."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        if lock.locked():
            yield False
            return
        async with lock:
            held = await self._try(name)
            try:
                yield held
            finally:
                if held:
                    await asyncio.shield(asyncio.to_thread(self._table.release, name))

    async def close(self) -> None:
        """Release all locks."""
        await asyncio.to_thread(self._table.close)

    async def _acquire(self, name: str) -> None:
        deadline = time.monotonic() + self._wait_s
        while not await self._try(name):
            if time.monotonic() > deadline:
                raise BackendTimeout(f"Another process held the lock “{name}” for {self._wait_s:g} s.")
            await asyncio.sleep(_POLL_S)

    async def _try(self, name: str) -> bool:
        trying = asyncio.ensure_future(asyncio.to_thread(self._table.try_acquire, name))
        try:
            return await asyncio.shield(trying)
        except asyncio.CancelledError:
            trying.add_done_callback(lambda done: self._release_late(name, done))
            raise

    def _release_late(self, name: str, acquired: asyncio.Future[bool]) -> None:
        if not acquired.cancelled() and acquired.exception() is None and acquired.result():
            self._table.release(name)


class FileLocks:
    """Locked files in a folder, for processes of one machine. Windows has no such locks, so nothing is locked there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def try_acquire(self, name: str) -> bool:
        """Take a lock, or return False if another process has it. Raises BackendDown."""
        if sys.platform == "win32":
            return True
        try:
            return self._try_lock(name)
        except OSError as error:
            raise BackendDown(f"The folder {self._folder} can't be used: {error.strerror}") from error

    def _try_lock(self, name: str) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The files stay: another process may be about to lock one that looks unused.
        number = hashlib.blake2b(name.encode(), digest_size=2).digest()
        group = "outer-" if name.startswith(_OUTER) else ""
        path = self._folder / f"{group}{int.from_bytes(number, 'big') % _FILES:03d}"
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._held[name] = descriptor
        return True

    def release(self, name: str) -> None:
        """Release a lock."""
        if (descriptor := self._held.pop(name, None)) is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Release all locks."""
        for name in tuple(self._held):
            self.release(name)


class PostgresLocks:
    """Advisory locks of one session of its own, opened on first use. The session ends with its connection.

    Raises BackendError if the server can't be reached.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._using = threading.Lock()

    def try_acquire(self, name: str) -> bool:
        """Take a lock, or return False if another session has it."""
        return self._ask(name, _TRY)

    def release(self, name: str) -> None:
        """Release a lock. If the connection was lost or closed, the server has released it."""
        with self._using:
            has_session = self._connection is not None
        if has_session:
            with suppress(Exception):
                self._ask(name, _UNLOCK)

    def close(self) -> None:
        """End the session."""
        with self._using:
            self._disconnect()
            self._engine.dispose()

    def _ask(self, name: str, statement: TextClause) -> bool:
        with self._using:
            try:
                if self._connection is None:
                    self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                return bool(self._connection.execute(statement, {"key": lock_key("held", name)}).scalar())
            except SQLAlchemyError as error:
                self._disconnect()
                raise postgres.translate_error(error) from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(SQLAlchemyError):
                # Not just returned to the pool, which would keep the session and its locks.
                self._connection.invalidate()
                self._connection.close()
            self._connection = None
