"""A file of embeddings in half precision, outside of memory."""

from __future__ import annotations

import mmap
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

    The system keeps what is read often in its cache, and drops it when programs need memory. The file is mapped for
    reading: with a system call for each of some hundred rows, threads would wait for each other's turn in Python.
    ``folder``: where the file is; by default the system's temporary folder. Raises OSError if it can't be made.
    """

    def __init__(self, dimensions: int, folder: Path | None = None) -> None:
        self._width = BYTES_EACH * dimensions
        self._file = tempfile.TemporaryFile(prefix="vsearch-index-", dir=folder, buffering=0)  # noqa: SIM115
        self._lock = Lock()
        self._size = 0
        self._map: mmap.mmap | None = None
        self._mapped: Bytes = np.empty((0, self._width), np.uint8)
        weakref.finalize(self, self._file.close)

    def append(self, rows: Bytes) -> Slots:
        """Write rows, and return their places. Raises OSError."""
        first = self._size
        left = memoryview(rows.tobytes())
        self._file.seek(first * self._width)
        while left:
            left = left[self._file.write(left) or 0 :]
        self._size += len(rows)
        return np.arange(first, self._size)

    def read(self, slots: Slots) -> Bytes:
        """Return the rows at these places, as n × bytes. Raises OSError."""
        with self._lock:
            if len(self._mapped) < self._size:
                self._map = mmap.mmap(self._file.fileno(), self._size * self._width, access=mmap.ACCESS_READ)
                self._mapped = np.frombuffer(self._map, np.uint8).reshape(self._size, self._width)
            whole, mapped = self._map, self._mapped
        rows = mapped[slots]
        if whole is not None and hasattr(mmap, "MADV_DONTNEED"):
            # The pages stay in the system's cache, but don't count as this process's memory. It takes 0.1 ms.
            whole.madvise(mmap.MADV_DONTNEED)
        return rows
