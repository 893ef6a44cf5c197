"""JPEGs: count the scans, and read files whose end marker is missing although all pixels are there."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker that ends entropy-coded data. A zero byte escapes 0xFF there, and restart markers are part of the data."""

_START, _END, _START_OF_SCAN, _TEMPORARY = 0xD8, 0xD9, 0xDA, 0x01
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_FIRST_RESTART = 0xD0
_END_MARKER = b"\xff\xd9"
_COEFFICIENTS = 64
_COMPONENTS_AT = 5
_MAX_SEGMENTS = 10_000

_NOISE = bytes((number * 89 + number * number * 7) % 255 for number in range(1, 401))
"""Entropy-coded data without meaning and without 0xFF."""

_RESTARTS = b"".join(bytes([0xFF, _FIRST_RESTART + number % 8]) + _NOISE for number in range(24))


def count_scans(data: bytes, most: int) -> int:
    """Return the number of scans up to the end marker, or ``most + 1`` if there are more.

    What phones append after the end marker, such as a film, is not searched.
    """
    found = 0
    for marker, _ in _segments(data):
        found += marker == _START_OF_SCAN
        if found > most:
            break
    return found


def endings(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the file with two different endings, or None if it has an end marker or lacks whole scans.

    If both decode to the same pixels, then only the end marker was missing: the second ending has noise where pixels
    would be missing, and the first has none.
    """
    components = 0
    missing: dict[int, set[int]] = {}
    for marker, body in _segments(data):
        if marker == _END:
            return None
        if marker in _FRAMES and len(body) > _COMPONENTS_AT:
            components = body[_COMPONENTS_AT]
        elif marker == _START_OF_SCAN and body:
            _note_scan(body, missing)
    if not components or len(missing) < components or any(missing.values()):
        return None
    head = data[:-1] if data.endswith(b"\xff") else data
    return head + _END_MARKER, b"".join((head, _NOISE, _RESTARTS, _END_MARKER))


def _note_scan(body: bytes, missing: dict[int, set[int]]) -> None:
    """Take the coefficients that a scan completes away from those that its components still miss."""
    count = body[0]
    if len(body) < 4 + 2 * count:
        return
    first, last, low_bit = body[1 + 2 * count], body[2 + 2 * count], body[3 + 2 * count] & 15
    for number in range(count):
        coefficients = missing.setdefault(body[1 + 2 * number], set(range(_COEFFICIENTS)))
        if not low_bit:
            coefficients.difference_update(range(first, last + 1))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment, up to the end marker with an empty content."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        marker, at = found[1][0], found.end()
        if marker in {_START, _TEMPORARY}:
            continue
        if marker == _END:
            yield marker, b""
            return
        length = int.from_bytes(data[at : at + 2], "big")
        yield marker, data[at + 2 : at + length]
        at += max(length, 2)
