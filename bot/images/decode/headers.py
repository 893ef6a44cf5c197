"""Read sizes from the headers of JPEG, PNG, GIF, BMP and WebP files, without decoding pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SCALABLE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
"""Start-of-frame markers of JPEGs that libjpeg decodes at a reduced size: those with a discrete cosine transform."""

_PROGRESSIVE = {0xC2, 0xCA}
_NOT_FRAMES = {0xC4, 0xC8, 0xCC}
_FIRST_FRAME, _LAST_FRAME = 0xC0, 0xCF
_START_OF_SCAN = 0xDA
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}

_MAX_CHUNKS = 100_000
_GIF_EXTENSION, _GIF_FRAME = 0x21, 0x2C

_BLOCK = 8
_COEFFICIENTS = 128
"""Bytes of the coefficients of one block: 64 of 16 bits."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The frame header of a JPEG.

    ``coefficients`` are the bytes that the decoder holds for the whole picture if it comes in several scans, else 0.
    ``is_scalable``: the decoder can reduce the size while it decodes. ``bits``: of a sample. ``marker``: of the frame.
    """

    width: int
    height: int
    components: int
    coefficients: int
    is_scalable: bool
    marker: int = 0xC0
    bits: int = 8


@dataclass(frozen=True, slots=True)
class PngHeader:
    """Size, bits a sample, and colour type."""

    width: int
    height: int
    depth: int
    colour: int


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class WebpHeader:
    """The canvas of a WebP, and where the chunks of its first frame are if the frame covers the canvas."""

    width: int
    height: int
    has_alpha: bool
    is_lossless: bool
    is_animated: bool
    first_frame: tuple[int, int] | None


def jpeg_header(data: bytes) -> JpegHeader | None:
    """Return the first frame header, or None if there is none."""
    frame: tuple[int, bytes] | None = None
    for marker, body in _jpeg_segments(data):
        if _FIRST_FRAME <= marker <= _LAST_FRAME and marker not in _NOT_FRAMES and frame is None:
            frame = marker, body
        if marker == _START_OF_SCAN:
            return _jpeg_frame(*frame, in_scan=body[0] if body else 0) if frame else None
    return _jpeg_frame(*frame, in_scan=0) if frame else None


def png_header(data: bytes) -> PngHeader | None:
    """Return the header, or None."""
    if len(data) < 26 or data[12:16] != b"IHDR":
        return None
    return PngHeader(int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"), data[24], data[25])


def png_texts(data: bytes) -> int:
    """Return the number of texts and profiles in a PNG that its decoder expands. Far too many chunks count as texts."""
    at, found = 8, 0
    for _ in range(_MAX_CHUNKS):
        if at + 8 > len(data):
            return found
        found += data[at + 4 : at + 8] in {b"zTXt", b"iTXt", b"iCCP"}
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return _MAX_CHUNKS


def is_animated_png(data: bytes) -> bool:
    """Return whether a PNG has further frames, which its first chunks announce."""
    return b"acTL" in data[: max(data.find(b"IDAT"), 0)]


def has_frames(data: bytes) -> bool:
    """Return whether something follows the first frame of a GIF."""
    at = _gif_frame(data)
    if at + 10 > len(data):
        return False
    flags = data[at + 9]
    end = _gif_blocks_end(data, at + 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0))
    return end < len(data) and data[end] in {_GIF_EXTENSION, _GIF_FRAME}


def gif_header(data: bytes) -> Size | None:
    """Return the size of the screen, enlarged to the first frame if that is larger. None if there is no header."""
    if len(data) < 13:
        return None
    width, height = _le16(data, 6), _le16(data, 8)
    at = _gif_frame(data)
    if at + 10 > len(data) or data[at] != _GIF_FRAME:
        return Size(width, height)
    return Size(
        max(width, _le16(data, at + 1) + _le16(data, at + 5)),
        max(height, _le16(data, at + 3) + _le16(data, at + 7)),
    )


def _gif_frame(data: bytes) -> int:
    """Return where the first frame of a GIF is, or the end of what can be read."""
    at = 13 + (3 << (data[10] & 7) + 1 if len(data) > 13 and data[10] & 0x80 else 0)
    while at < len(data) and data[at] == _GIF_EXTENSION:
        at = _gif_blocks_end(data, at + 2)
    return at


def _gif_blocks_end(data: bytes, at: int) -> int:
    """Return the end of a series of blocks, each with its length in front."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def bmp_header(data: bytes) -> Size | None:
    """Return the size, or None."""
    if len(data) < 30:
        return None
    if int.from_bytes(data[14:18], "little") == 12:
        return Size(_le16(data, 18), _le16(data, 20))
    width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
    return Size(abs(width), abs(height))


def dib_header(data: bytes) -> Size | None:
    """Return the size of a BMP without its file header, or None."""
    return bmp_header(bytes(14) + data[:64])


def webp_header(data: bytes) -> WebpHeader | None:
    """Return the header of a still or animated WebP, or None."""
    chunks = list(_riff_chunks(data, 12, 4))
    if not chunks:
        return None
    name, at, _ = chunks[0]
    if name == b"VP8X" and len(data) >= 30:
        return _extended_webp(data)
    size = _webp_frame_size(data, name, at)
    if size is None:
        return None
    has_alpha = name == b"VP8L" and bool(data[at + 4] & 0x10)
    return WebpHeader(*size, has_alpha, name == b"VP8L", is_animated=False, first_frame=None)


def still_webp(data: bytes, header: WebpHeader) -> bytes:
    """Return the first frame of an animated WebP as a still WebP. Other WebPs are returned unchanged."""
    if not header.is_animated or header.first_frame is None:
        return data
    start, end = header.first_frame
    flags = bytes([0x10 if header.has_alpha else 0, 0, 0, 0])
    canvas = (header.width - 1).to_bytes(3, "little") + (header.height - 1).to_bytes(3, "little")
    body = b"".join((b"WEBPVP8X\x0a\0\0\0", flags, canvas, memoryview(data)[start:end]))
    return b"".join((b"RIFF", len(body).to_bytes(4, "little"), body))


def webp_metadata(data: bytes) -> dict[str, bytes]:
    """Return profile, EXIF and XMP of a WebP, under the names that Pillow gives them."""
    names = {b"ICCP": "icc_profile", b"EXIF": "exif", b"XMP ": "xmp"}
    found: dict[str, bytes] = {}
    for name, at, length in _riff_chunks(data, 12, 100_000):
        if name in names:
            found.setdefault(names[name], data[at : at + length])
    return found


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 2, len(data)
    while at + 4 <= end:
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)
            if at < 0:
                return
            continue
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker == 0 or marker in _WITHOUT_LENGTH:
            at += 2
        else:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            yield marker, data[at + 4 : at + 2 + length]
            at += 2 + max(length, 2)


def _jpeg_frame(marker: int, body: bytes, *, in_scan: int) -> JpegHeader | None:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        return None
    height, width, count = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5]
    factors = [(body[7 + 3 * n] >> 4 or 1, body[7 + 3 * n] & 15 or 1) for n in range(count)]
    coefficients = 0
    if factors and (marker in _PROGRESSIVE or in_scan < count):
        most_across, most_down = max(across for across, _ in factors), max(down for _, down in factors)
        units_across, units_down = -(-width // (_BLOCK * most_across)), -(-height // (_BLOCK * most_down))
        coefficients = sum(units_across * across * units_down * down * _COEFFICIENTS for across, down in factors)
    return JpegHeader(width, height, count, coefficients, marker in _SCALABLE, marker, body[0])


def _extended_webp(data: bytes) -> WebpHeader:
    flags = data[20]
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    is_animated, is_lossless, first_frame = bool(flags & 2), False, None
    for name, at, length in _riff_chunks(data, 12, 64):
        if name == b"ANMF" and length >= 24:
            left, top, across, down = (int.from_bytes(data[at + n : at + n + 3], "little") for n in (0, 3, 6, 9))
            if (left, top, across + 1, down + 1) == (0, 0, width, height):
                first_frame = at + 16, min(at + length, len(data))
            is_lossless = any(part == b"VP8L" for part, _, _ in _riff_chunks(data, at + 16, 4))
            break
        if name in {b"VP8 ", b"VP8L"}:
            is_lossless = name == b"VP8L"
            break
    return WebpHeader(width, height, bool(flags & 0x10), is_lossless, is_animated, first_frame)


def _webp_frame_size(data: bytes, name: bytes, at: int) -> tuple[int, int] | None:
    if name == b"VP8 " and len(data) >= at + 10:
        return _le16(data, at + 6) & 0x3FFF, _le16(data, at + 8) & 0x3FFF
    if name == b"VP8L" and len(data) >= at + 5:
        bits = int.from_bytes(data[at + 1 : at + 5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def _riff_chunks(data: bytes, at: int, most: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, position and length of the first chunks."""
    for _ in range(most):
        if at + 8 > len(data):
            return
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at + 8, length
        at += 8 + length + (length & 1)


def _le16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")
