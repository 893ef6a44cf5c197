"""Decode one file into a reduced picture of at most 2046 pixels a side. Runs in the bot or in a decoder process.

Imports Pillow and NumPy only, since a decoder process must be small and start quickly.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from PIL import Image

from bot.domain.errors import PictureRefused
from bot.images.decode import containers, formats, headers
from bot.images.decode.plan import PictureLimits, check_size, draft_size, is_large_webp
from bot.images.decode.reduction import Box, Pixels, pixels_in, pixels_of, reduce
from bot.images.decode.source import Source, register_heic
from bot.images.decode.unusual import (
    deep_samples,
    detail,
    direct_pixels,
    frames,
    jpeg_streams,
    libtiff,
    pages,
    png_chunks,
    tiff_tags,
)

_ORIENTATION = 0x0112

_ANIMATED = (formats.WEBP, formats.AVIF, formats.HEIC)


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded, reduced picture with 8 bits a channel.

    ``size`` is that of the file, and ``orientation`` that of its EXIF data; neither is applied to ``image``. ``stored``
    is a larger copy to store, if one was asked for and the file is large enough. ``pages`` is a digest of all pages of
    a document with several.
    """

    image: Image.Image
    size: tuple[int, int]
    orientation: int
    profile: bytes | None
    stored: Image.Image | None = None
    pages: str = ""


def decode(data: bytes, limits: PictureLimits) -> Decoded:
    """Decode a file. Raises PictureRefused with a message for the user, and MemoryError."""
    found = formats.detect_format(data)
    source = Source(data, found, limits)
    try:
        check_size(data, found, limits)
        return _decode_or_repair(source)
    except (PictureRefused, MemoryError):
        raise
    except Exception as error:  # decoders may raise anything for hostile bytes
        raise PictureRefused(source.refusal()) from error


def prepare(data: bytes) -> None:
    """Load the libraries that decoding the file needs. A decoder process does so before its limit applies."""
    try:
        found = formats.detect_format(data)
    except PictureRefused:
        return
    if found is formats.HEIC:
        register_heic()
    if found is formats.WEBP and _large_webp(data):
        import cv2  # noqa: F401, PLC0415 - slow import


def is_threaded(data: bytes) -> bool:
    """Return whether the file's decoder starts threads."""
    try:
        return formats.detect_format(data) in {formats.AVIF, formats.HEIC}
    except PictureRefused:
        return False


def _large_webp(data: bytes) -> headers.WebpHeader | None:
    """Return the header of a WebP that OpenCV decodes, or None."""
    header = headers.webp_header(data)
    return header if header and is_large_webp(header) else None


def _decode_or_repair(source: Source) -> Decoded:
    """Decode a file, without what keeps a decoder from reading pixels that are all there."""
    try:
        return _decode(source)
    except (PictureRefused, MemoryError):
        raise
    except Exception:
        for data in _without_damage(source):
            with suppress(OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error):
                return _decode(replace(source, data=data))
        endings = jpeg_streams.endings(source.data) if source.format is formats.JPEG else None
        if endings:
            plain, noisy = (_decode(replace(source, data=data)) for data in endings)
            if plain.image.tobytes() == noisy.image.tobytes():
                return plain
        raise


def _without_damage(source: Source) -> Iterator[bytes]:
    """Yield the file without parts that its picture doesn't need."""
    if source.format is formats.PNG:
        yield png_chunks.essential_chunks(source.data)
        yield png_chunks.essential_chunks(source.data, profile=False)


def _decode(source: Source) -> Decoded:
    if source.format is formats.TIFF:
        return _decode_tiff(source)
    webp = _large_webp(source.data) if source.format is formats.WEBP else None
    if webp:
        first = _decode_large_webp(source.data, webp, source.limits)
        if not webp.is_animated or not detail.shows_nothing(first.image):
            return first
    with source.open() as image:
        first = _decode_frame(source, image)
        if not _is_animated(source, image) or not detail.shows_nothing(first.image):
            return first
        # Pillow replaces the pixels of an image when it goes to another frame.
        return frames.representative(
            image, _copied(first), lambda: _copied(_decode_frame(source, image)), lambda found: found.image
        )


def _is_animated(source: Source, image: Image.Image) -> bool:
    """Return whether there are further frames, for which the plan counts memory."""
    if source.format is formats.GIF:
        return headers.has_frames(source.data)
    if source.format is formats.PNG:
        return headers.is_animated_png(source.data)
    return source.format in _ANIMATED and bool(getattr(image, "is_animated", False))


def _copied(decoded: Decoded) -> Decoded:
    return replace(decoded, image=decoded.image.copy(), stored=decoded.stored.copy() if decoded.stored else None)


def _decode_frame(source: Source, image: Image.Image) -> Decoded:
    size = image.size
    pixels = _load(source, image, source.limits.max_side)
    profile = image.info.get("icc_profile")
    # Read the orientation after the load: Pillow turns TIFFs upright there, and PNGs may have their EXIF at the end.
    orientation = _orientation(image)
    reduced = reduce(pixels, source.limits.max_side)
    return Decoded(reduced, size, orientation, profile, _stored(source, size, image, pixels))


def _stored(source: Source, size: tuple[int, int], image: Image.Image, pixels: Pixels) -> Image.Image | None:
    """Return the copy to store, or None if the reduced picture is large enough."""
    side = source.limits.stored_side
    if not side or max(size) <= source.limits.max_side:
        return None
    if source.format is not formats.JPEG:
        return _fitted(pixels, side)
    # It was decoded at a reduced size. Decode it again if the copy is to be larger.
    with source.open() as again:
        wanted = draft_size(*size, side)
        if wanted:
            again.draft(None, wanted)
        if again.size == image.size:
            return _fitted(pixels, side)
        again.load()
        return _fitted(pixels_of(again), side)


def _fitted(pixels: Pixels, side: int) -> Image.Image:
    """Return the pixels with 8 bits a channel and at most ``side`` a side."""
    image = reduce(pixels, side)
    longer = max(image.size)
    if longer <= side:
        return image
    width, height = (max(1, round(length * side / longer)) for length in image.size)
    return image.resize((width, height), Image.Resampling.HAMMING)


def _decode_tiff(source: Source) -> Decoded:
    """Decode a TIFF: its picture, or all of its pages on one sheet if several show something."""
    headers_of, limits = containers.tiff_pages(source.data), source.limits
    with libtiff.used_for_all(needed=any(page.needs_libtiff for page in headers_of.values())), source.open() as image:
        if len(headers_of) <= 1:
            return _decode_frame(source, image)
        sides = [limits.max_side, *([limits.stored_side] if limits.stored_side else [])]

        def read(number: int) -> list[Image.Image]:
            image.seek(number)
            source.check_tiles(image)
            pixels = _load(source, image, limits.max_side)
            return [reduce(pixels, side) for side in sides]

        laid_out = pages.lay_out(pages.chosen(headers_of, limits.max_pixels), sides, read)
        image.seek(laid_out.first)
        if laid_out.shown <= 1:
            return _decode_frame(source, image)
        digest = laid_out.digest(source.data, is_whole=laid_out.read == len(headers_of))
        profile = image.info.get("icc_profile") if laid_out.is_rgb else None
        sheet, larger = laid_out.sheets[0], laid_out.sheets[-1]
        return Decoded(sheet, image.size, 1, profile, larger if larger.size != sheet.size else None, digest)


def _load(source: Source, image: Image.Image, side: int) -> Pixels:
    """Decode the pixels, without a copy of them where the decoder's own memory can be read."""
    if image.format in {"JPEG", "MPO"}:
        wanted = draft_size(*image.size, side)
        if wanted:
            image.draft(None, wanted)
    elif max(image.size) >= 2 * side:
        direct = direct_pixels.of_image(image)
        if direct:
            return _pixels_of_buffer(direct)
    is_png = source.format is formats.PNG
    samples = deep_samples.samples_of(image, png_chunks.significant_bits(source.data) if is_png else 0)
    is_deep = deep_samples.is_deep(image)
    image.load()
    if is_deep and not image.info.get("transparency"):
        return _deep_pixels(source, image, samples)
    return pixels_of(image, samples)


def _pixels_of_buffer(buffer: direct_pixels.PixelBuffer) -> Pixels:
    return pixels_in(buffer.rows, buffer.mode, buffer.size, raw_mode=buffer.raw_mode, stride=buffer.stride)


def _deep_pixels(source: Source, image: Image.Image, samples: deep_samples.Samples) -> Pixels:
    """Return colours of 16 bits a sample, of which Pillow keeps the upper 8, with the lower 8 if those matter."""
    white = deep_samples.highest_colour(image, samples)
    if white is None:
        return pixels_of(image)
    if getattr(image, "tag_v2", {}).get(tiff_tags.PLANES) == tiff_tags.SEPARATE:
        # Pillow keeps the upper bytes of separate planes only.
        raise PictureRefused(formats.unreadable_kind("a TIFF with separate planes that use few of their 16 bits"))
    with source.open() as again:
        if source.format is formats.TIFF:
            again.seek(image.tell())
        low = deep_samples.lower_bytes(again)

    def crop(box: Box) -> Image.Image:
        return deep_samples.merge(image.crop(box), low.crop(box), white)

    return Pixels(image.mode, image.size, crop, lambda: deep_samples.merge_whole(image, low, white))


def _decode_large_webp(data: bytes, header: headers.WebpHeader, limits: PictureLimits) -> Decoded:
    size = header.width, header.height
    pixels = _pixels_of_buffer(direct_pixels.large_webp(data, header))
    tagged = Image.new("L", (1, 1))
    tagged.info.update(headers.webp_metadata(data))
    stored = _fitted(pixels, limits.stored_side) if limits.stored_side and max(size) > limits.max_side else None
    reduced = reduce(pixels, limits.max_side)
    return Decoded(reduced, size, _orientation(tagged), tagged.info.get("icc_profile"), stored)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a picture with broken EXIF is still readable
        return 1
