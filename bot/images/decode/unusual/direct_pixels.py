"""Pixels of large pictures in the decoder's own memory, since Pillow's plugins copy them once or more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.images.decode import headers


@dataclass(frozen=True, slots=True)
class PixelBuffer:
    """Rows of pixels that are ``stride`` bytes apart. ``raw_mode`` is the order of their channels in Pillow's terms."""

    rows: memoryview
    mode: str
    size: tuple[int, int]
    raw_mode: str
    stride: int


def of_image(image: Any) -> PixelBuffer | None:
    """Return the pixels in the memory of libavif or libheif, or None for another format."""
    if image.format == "AVIF" and hasattr(image, "_decoder"):
        pixels = memoryview(image._decoder.get_frame(image.tell())[0])  # noqa: SLF001 - see above
        return PixelBuffer(pixels, image.mode, image.size, image.mode, len(pixels) // image.height)
    if image.format == "HEIF" and getattr(image, "_heif_file", None):
        frame = image._heif_file[image.tell()]  # noqa: SLF001 - see above
        buffer = memoryview(frame.data)  # decodes, and may correct the size
        return PixelBuffer(buffer, frame.mode, frame.size, frame.mode, frame.stride)
    return None


def large_webp(data: bytes, header: headers.WebpHeader) -> PixelBuffer:
    """Decode the first frame of a WebP with OpenCV. Raises ValueError."""
    import cv2  # noqa: PLC0415 - large WebPs only
    import numpy as np  # noqa: PLC0415

    # It would print what is wrong with the file.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    array = cv2.imdecode(np.frombuffer(headers.still_webp(data, header), np.uint8), cv2.IMREAD_UNCHANGED)
    size = header.width, header.height
    if array is None or array.shape[1::-1] != size:
        raise ValueError("not decodable")
    channels = array.shape[2]
    raw_mode = "BGR" if channels == len("BGR") else "BGRA" if header.has_alpha else "BGRX"
    mode = "RGBA" if raw_mode == "BGRA" else "RGB"
    return PixelBuffer(memoryview(array.reshape(-1)), mode, size, raw_mode, header.width * channels)
