"""Temporary folders for programs that are more demanding than TMPDIR may allow."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET_PATH_BYTES = 103
"""The longest path of a Unix socket on macOS. Linux allows 107 bytes."""

ALTERNATIVES = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
"""Where else to look."""

_PREFIX = "vsearch-"
_NAME = f"{_PREFIX}12345678"


@contextmanager
def socket_folder(socket: str, *, for_others: bool = False) -> Iterator[Path]:
    """A temporary folder, in TMPDIR if that is suitable, with a path short enough for a Unix socket.

    ``socket``: the longest path that the socket may have in the folder. ``for_others``: another account runs programs
    there. Raises RuntimeError.
    """
    errors = []
    for parent in (Path(tempfile.gettempdir()), *ALTERNATIVES):
        if error := _unsuitable(parent, socket, for_others=for_others):
            errors.append(f"{parent} {error}")
            continue
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    raise RuntimeError(f"No temporary folder is suitable: {'; '.join(errors)}. Set TMPDIR to one that is.")


def others_can_reach(folder: Path) -> bool:
    """Whether every account can open files in this folder whose names it knows."""
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def _unsuitable(parent: Path, socket: str, *, for_others: bool) -> str:
    """Why the folder can't be made here; empty if it can."""
    if not os.access(parent, os.W_OK | os.X_OK):
        return "can't be written to"
    if len(os.fsencode(parent / _NAME / socket)) > SOCKET_PATH_BYTES:
        return "has too long a path for a socket"
    if "," in str(parent):
        return "has a comma, which separates hosts in the address of a database"
    if for_others and not others_can_reach(parent):
        return "can't be reached by other accounts"
    if for_others and os.statvfs(parent).f_flag & getattr(os, "ST_NOEXEC", 0):
        return "allows no programs"
    return ""
