"""Estimate from its header how much memory a picture takes to decode, and decide where to decode it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bot.domain.errors import PictureRefused
from bot.images.decode import containers, formats, headers

SCALED_PIXELS = 4
"""From how many times ``max_pixels`` on a JPEG is decoded in a decoder process, which can be stopped. The decoder
reduces JPEGs, so that a phone's 200 megapixels cost little more memory than 12."""

JPEG_FACTORS = (8, 4, 2, 1)

DRAFT_SHARE = 0.88
"""Share of ``max_side`` that the decoder's reduced size of a JPEG must reach. 4032 px give 1008 with no resampling."""

_SMALL_BYTES = 2_000_000
"""Working memory of any decoder, and the reduced picture."""

_COPIES = 12
"""Bytes a pixel of the reduced picture, in all its copies."""

_CONVERTED = 4
"""Bytes a pixel of a picture that is converted before it gets the size of the copy to store."""

_FRAME_BYTES = 20
"""Bytes a pixel of an animation in Pillow: a frame, the one before it, and their composition."""

_MAX_TEXT = 64
_TEXT_BYTES = 1_000_000
"""Pillow expands a compressed text of a PNG to 1 MB at most, and 64 such texts."""

_WEBP_CANVAS = 16
"""Bytes a pixel of Pillow's WebP decoder: two canvases, its answer and the picture."""

_WEBP_LOSSLESS, _WEBP_LOSSY = 5, 2
"""Bytes a pixel that libwebp uses itself."""

LARGE_WEBP = 2_000_000
"""Pixels from which OpenCV decodes a WebP, with the same library in less memory. Loading it takes 90 ms."""

_TIFF_VALUES = 80
"""Bytes of each number in a TIFF's directory, as Python objects."""

_PNG_BYTES = {0: 1, 2: 4, 3: 1, 4: 4, 6: 4}
"""Bytes a pixel in Pillow, by the colour type of a PNG: grey, RGB, palette, grey with alpha, RGBA."""

_IN_CHILD_ONLY = (formats.TIFF, formats.AVIF, formats.HEIC)
_BYTE, _DEEP = 8, 16
_GIF_BYTES, _BMP_BYTES = 2, 4


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Limits of accepted pictures. ``max_side`` is in pixels; larger pictures are scaled down to it.

    ``stored_side``: the same for the copy that is stored, or 0 if that is no larger.
    """

    max_bytes: int = 25_000_000
    max_pixels: int = 50_000_000
    max_side: int = 1023
    seconds: float = 10.0
    stored_side: int = 0


DEFAULT_LIMITS = PictureLimits()


@dataclass(frozen=True, slots=True)
class DecodePlan:
    """What decoding takes: ``memory`` in bytes, besides the file itself.

    ``is_certain``: the header tells the truth about it. Other pictures are decoded under a hard limit only.
    """

    memory: int
    is_certain: bool = True


def plan(data: bytes, limits: PictureLimits = DEFAULT_LIMITS) -> DecodePlan:
    """Return what it takes to decode a file. A file that is no picture takes next to nothing: it is refused."""
    try:
        found = formats.detect_format(data)
    except PictureRefused:
        return DecodePlan(_SMALL_BYTES)
    header = _HEADERS[found](data)
    if header is None:
        return DecodePlan(_SMALL_BYTES, found not in _IN_CHILD_ONLY)
    memory = _reduced(header, limits) + _memory(data, found, header, limits) + _frames(data, found, header)
    # A JPEG of any number of pixels takes little memory, but it may take more time than a thread should.
    is_long = header.width * header.height > SCALED_PIXELS * limits.max_pixels
    return DecodePlan(_SMALL_BYTES + memory, found not in _IN_CHILD_ONLY and not is_long)


def check_size(data: bytes, found: formats.Format, limits: PictureLimits) -> None:
    """Check the size in the header. Raises PictureRefused.

    Some decoders allocate the whole picture when they open a file, so this comes before.
    """
    header = _HEADERS[found](data)
    if header is None:
        return
    if isinstance(header, headers.JpegHeader) and jpeg_factor(header, limits.max_side) > 1:
        return  # its memory is what counts
    if header.width * header.height > limits.max_pixels:
        raise PictureRefused(formats.too_many_pixels(header.width, header.height, limits.max_pixels))


def is_large_webp(header: headers.WebpHeader) -> bool:
    """Return whether OpenCV decodes the WebP: all large ones whose first frame covers the canvas."""
    is_whole = not header.is_animated or header.first_frame is not None
    return is_whole and header.width * header.height >= LARGE_WEBP


def draft_size(width: int, height: int, side: int) -> tuple[int, int] | None:
    """Return the size to ask libjpeg for, or None if the picture is small enough."""
    longer, enough = max(width, height), side * DRAFT_SHARE
    if longer <= side:
        return None
    return max(1, int(width * enough / longer)), max(1, int(height * enough / longer))


def jpeg_factor(jpeg: headers.JpegHeader, side: int) -> int:
    """Return the factor by which libjpeg reduces a JPEG."""
    wanted = draft_size(jpeg.width, jpeg.height, side) if jpeg.is_scalable else None
    if wanted is None:
        return 1
    possible = min(jpeg.width // wanted[0], jpeg.height // wanted[1])
    return next((factor for factor in JPEG_FACTORS if factor <= possible), 1)


def _reduced(header: _Sized, limits: PictureLimits) -> int:
    """Return the bytes of the reduced pictures: as decoded, converted, sent by a decoder process and received."""
    memory = _COPIES * _reduced_pixels(header, limits.max_side)
    if limits.stored_side and max(header.width, header.height) > limits.max_side:
        reduced = _reduced_pixels(header, limits.stored_side)
        memory += _CONVERTED * reduced + _COPIES * min(reduced, limits.stored_side**2)
    return memory


def _reduced_pixels(header: _Sized, side: int) -> int:
    width, height = header.width, header.height
    if isinstance(header, headers.JpegHeader):
        factor = jpeg_factor(header, side)
        width, height = -(-width // factor), -(-height // factor)
    factor = max(1, max(width, height) // side)
    return -(-width // factor) * -(-height // factor)


def _frames(data: bytes, found: formats.Format, header: _Sized) -> int:
    """Return the bytes of further frames, if the first one may show nothing."""
    is_animated = (
        (found is formats.GIF and headers.has_frames(data))
        or (found is formats.PNG and headers.is_animated_png(data))
        or (isinstance(header, headers.WebpHeader) and header.is_animated and is_large_webp(header))
    )
    return _FRAME_BYTES * header.width * header.height if is_animated else 0


def _memory(data: bytes, found: formats.Format, header: _Sized, limits: PictureLimits) -> int:
    """Return the bytes of the pixels in all the copies that exist at the same time."""
    match header:
        case headers.JpegHeader():
            return _jpeg_memory(header, limits)
        case headers.PngHeader():
            return _png_memory(data, header)
        case headers.WebpHeader():
            return _webp_memory(header) + len(data)
        case containers.TiffHeader():
            pages = containers.tiff_pages(data).values()
            sheets = _COPIES * (limits.max_side**2 + limits.stored_side**2) if len(pages) > 1 else 0
            allowed = [page for page in pages if page.width * page.height <= limits.max_pixels] or [header]
            return max(map(_tiff_memory, allowed)) + 2 * len(data) + sheets
        case containers.HeifHeader():
            return _heif_memory(header, found) + len(data)
    # A GIF's palette, and the run-length decoder of BMPs, which collects bytes first.
    return header.width * header.height * (_GIF_BYTES if found is formats.GIF else _BMP_BYTES)


def _jpeg_memory(jpeg: headers.JpegHeader, limits: PictureLimits) -> int:
    # The copy to store is decoded at another size, after the picture.
    factor = min(jpeg_factor(jpeg, side) for side in (limits.max_side, limits.stored_side or limits.max_side))
    decoded = -(-jpeg.width // factor) * -(-jpeg.height // factor) * (1 if jpeg.components == 1 else 4)
    rows = 64 * jpeg.width * jpeg.components
    return jpeg.coefficients + decoded + rows


def _png_memory(data: bytes, header: headers.PngHeader) -> int:
    width = 2 if header.colour == 0 and header.depth == _DEEP else _PNG_BYTES.get(header.colour, 4)
    if header.depth == _DEEP and header.colour:
        width *= 2  # the lower bytes, if the upper ones are dark
    texts = min(headers.png_texts(data), _MAX_TEXT) * _TEXT_BYTES
    return header.width * header.height * width + texts + 24 * header.width


def _webp_memory(header: headers.WebpHeader) -> int:
    own = _WEBP_LOSSLESS if header.is_lossless else _WEBP_LOSSY
    if not is_large_webp(header):
        return header.width * header.height * (own + _WEBP_CANVAS)
    # OpenCV copies the pixels once, when libwebp has given its own back.
    shown = 4 if header.has_alpha else 3
    return header.width * header.height * max(own + shown, 2 * shown)


def _tiff_memory(header: containers.TiffHeader) -> int:
    is_gray = header.samples == 1
    width = 1 if is_gray and header.bits <= _BYTE else 2 if is_gray and header.bits <= _DEEP else 4
    if header.bits == _DEEP and not is_gray:
        width *= 2  # the lower bytes, if the upper ones are dark
    unit = header.unit_bytes if header.is_compressed or header.needs_libtiff else 0
    return header.width * header.height * width + unit + header.values * _TIFF_VALUES


def _heif_memory(header: containers.HeifHeader, found: formats.Format) -> int:
    decoded = header.planes * (2 if header.is_grid and found is formats.AVIF else 1)
    shown = 4 if header.has_alpha else 3
    # AVIF: the converted pixels and the bytes that Pillow makes of them. HEIC: libheif converts deep pictures twice.
    converted = 2 * shown if found is formats.AVIF else shown * (3 if header.is_deep else 1) + 1
    return int(header.width * header.height * (decoded * 1.1 + converted))


class _Sized(Protocol):
    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


_HEADERS: dict[formats.Format, Callable[[bytes], _Sized | None]] = {
    formats.JPEG: headers.jpeg_header,
    formats.PNG: headers.png_header,
    formats.GIF: headers.gif_header,
    formats.BMP: headers.bmp_header,
    formats.DIB: headers.dib_header,
    formats.WEBP: headers.webp_header,
    formats.TIFF: containers.tiff_header,
    formats.AVIF: containers.heif_header,
    formats.HEIC: containers.heif_header,
}
