"""Who works on a data directory, and who died there: what only this machine can tell, and at once.

Each worker holds a lock on a file of its own. However a process ends, the system lets go of its locks.
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
    """Who works, and who died at it. Its calls block, and raise OSError."""

    def register(self, name: str) -> None:
        """From now on until ``unregister``, or the end of this process, this name lives."""
        ...

    def dead_workers(self) -> tuple[str, ...]:
        """Names that entered and never left, whose processes have ended; the caller's until it lets them leave."""
        ...

    def unregister(self, *names: str) -> None:
        """These are known no more."""
        ...


class NullWorkerRegistry:
    """For workers on several machines: who died shows by its leases, which nobody extends any more."""

    def register(self, name: str) -> None:
        """Nothing is noted."""

    def dead_workers(self) -> tuple[str, ...]:
        """Nobody is known to be."""
        return ()

    def unregister(self, *names: str) -> None:
        """Nothing was noted."""


class FileWorkerRegistry:
    """A folder with a file for each worker. Its calls block; where there are no such locks, nobody ever seems dead."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, int] = {}

    def register(self, name: str) -> None:
        """From now on until ``unregister``, or the end of this process, this name lives. Raises OSError."""
        if sys.platform == "win32":
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(name)
        while name not in self._held:
            held = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
            # Somebody may have taken us for dead before we had the lock, and cleared the file away.
            if _is_at(path, held):
                self._held[name] = held
            else:
                os.close(held)

    def dead_workers(self) -> tuple[str, ...]:
        """Names that entered and never left, whose processes have ended; the caller's until it lets them leave.

        Raises OSError.
        """
        if sys.platform == "win32" or not self._folder.is_dir():
            return ()
        found = []
        for path in sorted(self._folder.iterdir()):
            name = unquote(path.name)
            if name not in self._held and (held := _locked(path)) is not None:
                self._held[name] = held
                found.append(name)
        return tuple(found)

    def has_live_workers(self) -> bool:
        """Whether a process of another name lives. Nothing is written, and nobody dead is taken. Raises OSError."""
        if sys.platform == "win32" or not self._folder.is_dir():
            return False
        return any(_is_held(path) for path in self._folder.iterdir() if unquote(path.name) not in self._held)

    def unregister(self, *names: str) -> None:
        """These are known no more: our own, or the dead once what they left was seen to. Raises OSError."""
        for name in names:
            self._path(name).unlink(missing_ok=True)
            if name in self._held:
                os.close(self._held.pop(name))

    def _path(self, name: str) -> Path:
        return self._folder / quote(name, safe="")


def _locked(path: Path) -> int | None:
    """The file, locked, if nobody else has it."""
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


def _is_held(path: Path) -> bool:
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
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
