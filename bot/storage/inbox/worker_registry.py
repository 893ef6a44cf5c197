"""A registry of the worker processes of a data directory, which tells at once which of them have died.

Each worker locks a file of its own. The operating system releases the lock however the process ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote

if sys.platform != "win32":
    import fcntl


class WorkerRegistry(Protocol):
    """Tells which workers live and which have died. All methods block and raise OSError."""

    def register(self, name: str) -> None:
        """Register a worker of this process, until ``unregister`` or the end of the process."""
        ...

    def dead_workers(self) -> tuple[str, ...]:
        """Return workers that never unregistered and whose processes have ended.

        They are reserved for the caller until it unregisters them.
        """
        ...

    def unregister(self, *names: str) -> None:
        """Remove workers from the registry."""
        ...


class NullWorkerRegistry:
    """Registers nothing, for workers on several machines. Their jobs become due when the leases expire."""

    def register(self, name: str) -> None:
        """Do nothing."""

    def dead_workers(self) -> tuple[str, ...]:
        """Return no workers."""
        return ()

    def unregister(self, *names: str) -> None:
        """Do nothing."""


class FileWorkerRegistry:
    """A folder with a locked file for each worker. All methods block.

    Windows has no such locks, so no worker ever counts as dead there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def register(self, name: str) -> None:
        """Register a worker of this process, until ``unregister`` or the end of the process. Raises OSError."""
        if sys.platform == "win32":
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(name)
        while name not in self._held:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Before we had the lock, another process may have taken us for dead and deleted the file.
            if _is_at(path, descriptor):
                self._held[name] = descriptor
            else:
                os.close(descriptor)

    def dead_workers(self) -> tuple[str, ...]:
        """Return workers that never unregistered and whose processes have ended.

        They are reserved for the caller until it unregisters them. Raises OSError.
        """
        if sys.platform == "win32" or not self._folder.is_dir():
            return ()
        found = []
        for path in sorted(self._folder.iterdir()):
            name = unquote(path.name)
            if name not in self._held and (descriptor := _try_lock(path)) is not None:
                self._held[name] = descriptor
                found.append(name)
        return tuple(found)

    def has_live_workers(self) -> bool:
        """Return whether a worker lives that this registry does not hold. Writes and reserves nothing.

        Raises OSError.
        """
        if sys.platform == "win32" or not self._folder.is_dir():
            return False
        return any(_is_locked(path) for path in self._folder.iterdir() if unquote(path.name) not in self._held)

    def unregister(self, *names: str) -> None:
        """Remove workers: our own, or dead ones whose jobs have been released. Raises OSError."""
        for name in names:
            self._path(name).unlink(missing_ok=True)
            if name in self._held:
                os.close(self._held.pop(name))

    def _path(self, name: str) -> Path:
        return self._folder / quote(name, safe="")


def _try_lock(path: Path) -> int | None:
    """Lock a file and return its descriptor; None if it is locked already or deleted."""
    if sys.platform == "win32":
        return None
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        if _is_at(path, descriptor):
            return descriptor
    os.close(descriptor)
    return None


def _is_locked(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """Return whether ``path`` still names the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
