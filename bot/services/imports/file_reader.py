"""Read the files of an import, none larger than a limit. Digests come first: known pictures need no decoding."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from bot.domain.errors import PictureRefused

_SMALL_FILE = 256_000
"""Files below this size are read once, not twice."""


class FileReader:
    """Reads files of up to ``max_bytes``. Its methods block."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes

    def identify(self, path: Path) -> tuple[str, bytes]:
        """Return the SHA-256 digest of a file, and the content of a small one. Raises PictureRefused and OSError."""
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            # Opening a named pipe would block until another process writes to it.
            raise PictureRefused("The file can't be read: it is no ordinary file.")
        if stat.S_ISREG(status.st_mode) and status.st_size > self._max_bytes:
            raise self._too_large()
        with path.open("rb") as stream:
            content = stream.read(_SMALL_FILE) if status.st_size < _SMALL_FILE else b""
            if len(content) == status.st_size:
                return hashlib.sha256(content).hexdigest(), content
            # It is large, or changes.
            stream.seek(0)
            return hashlib.file_digest(stream, "sha256").hexdigest(), b""

    def read(self, path: Path) -> bytes:
        """Return the content of a file. Raises PictureRefused."""
        try:
            with path.open("rb") as stream:
                data = stream.read(self._max_bytes + 1)
        except OSError as error:
            raise unreadable(error) from None
        if len(data) > self._max_bytes:
            raise self._too_large()
        return data

    def _too_large(self) -> PictureRefused:
        return PictureRefused(f"The file is larger than {self._max_bytes // 1_000_000} MB.")


def unreadable(error: OSError) -> PictureRefused:
    """Return the reason for which a file can't be read, as people are told it."""
    return PictureRefused(f"The file can't be read: {error.strerror or error}.")
