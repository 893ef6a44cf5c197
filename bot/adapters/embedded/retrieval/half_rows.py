"""A file of embeddings in half precision, outside of memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Slots = npt.NDArray[np.int64]

BYTES_EACH = 2
"""Bytes of a number in half precision."""


class HalfRows:
    """Rows in a temporary file that goes with this object. Reading is thread-safe.

    The system keeps what is read often in its cache, and drops it when other programs need memory. ``folder``: where
    the file is; by default the system's temporary folder. Raises OSError if it can't be written.
    """

    def __init__(self, dimensions: int, folder: Path | None = None) -> None:
        self._width = BYTES_EACH * dimensions
        self._file = tempfile.TemporaryFile(prefix="vsearch-index-", dir=folder, buffering=0)  # noqa: SIM115
        self._lock = Lock()
        self._size = 0
        weakref.finalize(self, self._file.close)

    def append(self, rows: Bytes) -> Slots:
        """Write rows, and return their places. Raises OSError."""
        first = self._size
        left = memoryview(np.ascontiguousarray(rows)).cast("B")
        with self._lock:
            self._file.seek(first * self._width)
            while left:
                left = left[self._file.write(left) or 0 :]
        self._size += len(rows)
        return np.arange(first, self._size)

    def read(self, slots: Slots) -> Bytes:
        """Return the rows at these places, as n × bytes. Raises OSError."""
        places = [slot * self._width for slot in slots.tolist()]
        if hasattr(os, "pread"):
            number = self._file.fileno()
            found = [os.pread(number, self._width, place) for place in places]
        else:
            with self._lock:
                found = [self._read_at(place) for place in places]
        return np.frombuffer(b"".join(found), np.uint8).reshape(len(slots), self._width)

    def _read_at(self, place: int) -> bytes:
        self._file.seek(place)
        return self._file.read(self._width)
