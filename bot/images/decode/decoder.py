"""Decode one file into a reduced picture of at most 2046 pixels a side. Runs in the bot or in a decoder process.

Imports Pillow and NumPy only, since a decoder process must be small and start quickly.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from PIL import Image

from bot.domain.errors import PictureRefused
from bot.images.decode import formats, headers
from bot.images.decode.plan import PictureLimits, check_size, draft_size, is_large_webp
from bot.images.decode.reduction import Pixels, pixels_in, pixels_of, reduce

_ORIENTATION = 0x0112
_TILE_WIDTH, _TILE_LENGTH = 322, 323

_MAX_SCANS = 40
"""Most scans of a progressive JPEG. Encoders write about ten, and each costs a pass over the whole picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded, reduced picture with 8 bits a channel.

    ``size`` is that of the file, and ``orientation`` that of its EXIF data; neither is applied to ``image``.
    """

    image: Image.Image
    size: tuple[int, int]
    orientation: int
    profile: bytes | None


def decode(data: bytes, limits: PictureLimits) -> Decoded:
    """Decode a file. Raises PictureRefused with a message for the user, and MemoryError."""
    found = formats.detect_format(data)
    try:
        check_size(data, found, limits)
        webp = _large_webp(data) if found is formats.WEBP else None
        if webp:
            return _decode_large_webp(data, webp, limits.max_side)
        with _open(data, found, limits) as image:
            return _decode(image, limits.max_side)
    except (PictureRefused, MemoryError):
        raise
    except Exception as error:  # decoders may raise anything for hostile bytes
        raise PictureRefused(f"The {found.name} is damaged or incomplete. Save it again and send the copy.") from error


def prepare(data: bytes) -> None:
    """Load the libraries that decoding the file needs. A decoder process does so before its limit applies."""
    try:
        found = formats.detect_format(data)
    except PictureRefused:
        return
    if found is formats.HEIC:
        _register_heic()
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


def _open(data: bytes, found: formats.Format, limits: PictureLimits) -> Image.Image:
    """Open a picture by its header, without decoding pixels. Raises PictureRefused if decoding would cost too much."""
    if found is formats.HEIC:
        _register_heic()
    # Pillow's own limit is about 89 megapixels. Ours are checked before and after.
    Image.MAX_IMAGE_PIXELS = None
    image = Image.open(io.BytesIO(data), formats=(found.decoder,))
    width, height = image.size
    if width < 1 or height < 1:
        raise PictureRefused(f"The {found.name} is empty. Save it again and send the copy.")
    if found is not formats.JPEG and width * height > limits.max_pixels:
        raise PictureRefused(formats.too_many_pixels(width, height, limits.max_pixels))
    if found is formats.JPEG and image.info.get("progressive") and data.count(b"\xff\xda") > _MAX_SCANS:
        raise PictureRefused("The JPEG has too many progressive scans. Save it as a standard JPEG and send that.")
    if found is formats.TIFF:
        _check_tiles(image, limits)
    return image


def _check_tiles(image: Image.Image, limits: PictureLimits) -> None:
    """Check the size of a TIFF's tiles, which are decoded as a whole and may be declared larger than the picture.

    Raises PictureRefused.
    """
    tags = getattr(image, "tag_v2", {})
    width, height = tags.get(_TILE_WIDTH, 1), tags.get(_TILE_LENGTH, 1)
    if width * height > limits.max_pixels:
        raise PictureRefused(formats.too_many_pixels(width, height, limits.max_pixels))


def _decode(image: Image.Image, side: int) -> Decoded:
    size = image.size
    pixels = _load(image, side)
    profile = image.info.get("icc_profile")
    # Read the orientation after the load: Pillow turns TIFFs upright there, and PNGs may have their EXIF at the end.
    orientation = _orientation(image)
    return Decoded(reduce(pixels, side), size, orientation, profile)


def _load(image: Image.Image, side: int) -> Pixels:
    """Decode the pixels, without a copy of them where the decoder's own memory can be read."""
    if image.format in {"JPEG", "MPO"}:
        wanted = draft_size(*image.size, side)
        if wanted:
            image.draft(None, wanted)
    elif max(image.size) >= 2 * side:
        direct = _load_directly(image)
        if direct:
            return direct
    image.load()
    return pixels_of(image)


def _load_directly(image: Any) -> Pixels | None:
    """Return the pixels in the memory of libavif or libheif, or None for another format.

    Pillow's plugins copy them once or twice more.
    """
    if image.format == "AVIF" and hasattr(image, "_decoder"):
        pixels = memoryview(image._decoder.get_frame(image.tell())[0])  # noqa: SLF001 - see above
        return pixels_in(pixels, image.mode, image.size, raw_mode=image.mode, stride=len(pixels) // image.height)
    if image.format == "HEIF" and getattr(image, "_heif_file", None):
        frame = image._heif_file[image.tell()]  # noqa: SLF001 - see above
        buffer = memoryview(frame.data)  # decodes, and may correct the size
        return pixels_in(buffer, frame.mode, frame.size, raw_mode=frame.mode, stride=frame.stride)
    return None


def _decode_large_webp(data: bytes, header: headers.WebpHeader, side: int) -> Decoded:
    import cv2  # noqa: PLC0415 - large WebPs only
    import numpy as np  # noqa: PLC0415

    size = header.width, header.height
    array = cv2.imdecode(np.frombuffer(headers.still_webp(data, header), np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.shape[1::-1] != size:
        raise ValueError("not decodable")
    channels = array.shape[2]
    raw_mode = "BGR" if channels == len("BGR") else "BGRA" if header.has_alpha else "BGRX"
    mode = "RGBA" if raw_mode == "BGRA" else "RGB"
    pixels = pixels_in(memoryview(array.reshape(-1)), mode, size, raw_mode=raw_mode, stride=header.width * channels)
    tagged = Image.new("L", (1, 1))
    tagged.info.update(headers.webp_metadata(data))
    return Decoded(reduce(pixels, side), size, _orientation(tagged), tagged.info.get("icc_profile"))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a picture with broken EXIF is still readable
        return 1


_registering = threading.Lock()


def _register_heic() -> None:
    """Register HEIC with Pillow on the first HEIC file."""
    with _registering:
        _registered_heic()


@cache
def _registered_heic() -> None:
    import pillow_heif  # noqa: PLC0415 - a missing or broken libheif must affect only HEIC files

    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
