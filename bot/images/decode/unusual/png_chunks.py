"""PNGs: leave out the chunks that a picture doesn't need, and read what it says about its samples."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_SIGNATURE = 8
_MAX_CHUNKS = 100_000
_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_USED = {b"tRNS", b"eXIf", b"sBIT"}


def essential_chunks(data: bytes, *, profile: bool = True) -> bytes:
    """Return the file without texts and without optional chunks that are damaged. Browsers ignore those too.

    ``profile``: keep the colour profile.
    """
    chunks = list(_chunks(data))
    optional = _USED | ({b"iCCP"} if profile else set())
    intact = {name for name, _, _ in chunks} - {
        name for name, at, end in chunks if name not in _CRITICAL and not _is_intact(data, at, end)
    }
    if intact >= _ANIMATION:
        optional |= _ANIMATION
    kept = [data[at:end] for name, at, end in chunks if name in _CRITICAL or name in optional & intact]
    return b"".join((data[:_SIGNATURE], *kept))


def significant_bits(data: bytes) -> int:
    """Return the largest number of bits that colours had before they were stored (sBIT); 0 if it is unknown."""
    for name, at, end in _chunks(data):
        if name == b"sBIT":
            bits = data[at + 8 : end - 4]
            # Grey, RGB, grey with alpha, RGBA: the last of two or four values is that of alpha.
            return max(bits[:1] if len(bits) in {1, 2} else bits[:3], default=0)
        if name == b"IDAT":
            break
    return 0


def _is_intact(data: bytes, at: int, end: int) -> bool:
    return zlib.crc32(memoryview(data)[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of the chunks. The last one may be cut off."""
    at = _SIGNATURE
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            return
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], at, min(end, len(data))
        at = end
