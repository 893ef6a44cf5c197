"""A registry of the processes that have a SQLite storage open: the bot, the API server and every command.

``vsearch migrate`` copies a storage only while no other process could write to it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

from bot.storage.inbox.worker_registry import FileWorkerRegistry

FOLDER = "processes"
_FOLDERS = (FOLDER, "workers")
"""Folders to search. Earlier versions registered only workers."""


class ProcessRegistration:
    """Registers this process, by a locked file in each folder. The lock ends with the process, however it ends."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._registries = {folder / FOLDER: FileWorkerRegistry(folder / FOLDER) for folder in folders}

    def register(self) -> None:
        """Register, and remove what dead processes have left. Blocks. Raises OSError."""
        for registry in self._registries.values():
            registry.unregister(*registry.dead_workers())
            registry.register(self._name)

    def is_alone(self) -> bool:
        """Return whether every other process has ended. False if that isn't known. Blocks. Raises OSError."""
        registries = self._registries.values()
        # Windows has no such locks.
        is_known = bool(registries) and sys.platform != "win32"
        return is_known and not any(registry.has_live_workers() for registry in registries)

    def close(self) -> None:
        """Unregister. Blocks."""
        for folder, registry in self._registries.items():
            # At worst, the next process removes the file. The folder may have files of others.
            with contextlib.suppress(OSError):
                registry.unregister(self._name)
                folder.rmdir()


def has_live_processes(folders: Iterable[Path]) -> bool:
    """Return whether a process has a storage in one of these folders open. Blocks. Raises OSError."""
    return any(FileWorkerRegistry(folder / name).has_live_workers() for folder in folders for name in _FOLDERS)
