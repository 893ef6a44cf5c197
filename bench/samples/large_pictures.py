"""Pictures of 50 megapixels in every format and mode, and of ordinary sizes, for ``bench.speed.decoding``."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

WIDTH, HEIGHT = 8000, 6250

_SAVED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {}),
    "jpeg progressive 4:4:4": ("JPEG", "RGB", {"progressive": True, "subsampling": 0}),
    "jpeg progressive CMYK": ("JPEG", "CMYK", {"progressive": True, "subsampling": 0}),
    "png": ("PNG", "RGB", {}),
    "png profile": ("PNG", "RGB", {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()}),
    "png RGBA": ("PNG", "RGBA", {}),
    "png LA": ("PNG", "LA", {}),
    "png palette": ("PNG", "P", {}),
    "png 1 bit": ("PNG", "1", {}),
    "png 16 bits": ("PNG", "I;16", {}),
    "apng": ("PNG", "RGB", {"save_all": True}),
    "gif": ("GIF", "P", {}),
    "gif animated": ("GIF", "P", {"save_all": True}),
    "bmp 1 bit": ("BMP", "1", {}),
    "tiff float": ("TIFF", "F", {"compression": "tiff_adobe_deflate"}),
    "tiff 32 bits": ("TIFF", "I", {"compression": "tiff_adobe_deflate"}),
    "tiff 16 bits": ("TIFF", "I;16", {"compression": "tiff_lzw"}),
    "tiff CMYK": ("TIFF", "CMYK", {"compression": "tiff_adobe_deflate"}),
    "tiff LAB": ("TIFF", "LAB", {"compression": "tiff_adobe_deflate"}),
    "tiff pages": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate", "save_all": True}),
    "webp": ("WEBP", "RGB", {"method": 0}),
    "webp RGBA": ("WEBP", "RGBA", {"method": 0}),
    "webp lossless": ("WEBP", "RGB", {"lossless": True, "quality": 0, "method": 0}),
    "webp animated": ("WEBP", "RGB", {"method": 0, "save_all": True}),
    "avif": ("AVIF", "RGB", {"speed": 10}),
    "avif RGBA": ("AVIF", "RGBA", {"speed": 10}),
    "avif sequence": ("AVIF", "RGB", {"speed": 10, "save_all": True}),
    "heif": ("HEIF", "RGB", {"enc_params": {"preset": "ultrafast"}}),
    "heif RGBA": ("HEIF", "RGBA", {"enc_params": {"preset": "ultrafast"}}),
}


def make(case: str) -> bytes:
    """Return the picture of a case, encoded."""
    if case == "webp of 40 bytes":
        return flat_webp(WIDTH, HEIGHT)
    if case == "png RGB 16 bits":
        return deep_png(WIDTH, HEIGHT)
    if case == "tiff one strip RGB 16 bits":
        return deep_tiff(WIDTH, HEIGHT)
    kind, _, size = case.partition(" ")
    if size.isdecimal():
        shape = {"640": (640, 480), "12": (4032, 3024)}[size]
        return _encoded(_photo(*shape), kind.upper(), {"speed": 10} if kind == "avif" else {})
    pillow_heif.register_heif_opener()
    name, mode, options = _SAVED[case]
    image = _in_mode(_photo(WIDTH, HEIGHT), mode)
    if options.get("save_all"):
        options = {**options, "append_images": [image.transpose(Image.Transpose.ROTATE_180)]}
    return _encoded(image, name, options)


def flat_webp(width: int, height: int) -> bytes:
    """Return a lossless WebP of one colour, in some 40 bytes."""
    small = _encoded(Image.new("RGB", (16, 16), (200, 30, 30)), "WEBP", {"lossless": True})
    at = small.index(b"VP8L") + 9
    bits = int.from_bytes(small[at : at + 4], "little") & ~0xFFFFFFF | (width - 1) | (height - 1) << 14
    return small[:at] + bits.to_bytes(4, "little") + small[at + 4 :]


def deep_png(width: int, height: int) -> bytes:
    """Return an RGB PNG with 16 bits a channel."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    packer = zlib.compressobj(1)
    row = b"\0" + np.full(3 * width, 0x4321, ">u2").tobytes()
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x10\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def deep_tiff(width: int, height: int) -> bytes:
    """Return an RGB TIFF with 16 bits a channel in one strip, which libtiff decodes as a whole."""
    packer = zlib.compressobj(1)
    row = np.full(3 * width, 0x4321, "<u2").tobytes()
    strip = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    fields = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, 8 + 2 + 12 * 10 + 4),
        (259, 3, 1, 8),
        (262, 3, 1, 2),
        (273, 4, 1, 8 + 2 + 12 * 10 + 4 + 6),
        (277, 3, 1, 3),
        (278, 4, 1, height),
        (279, 4, 1, len(strip)),
        (284, 3, 1, 1),
    ]
    directory = len(fields).to_bytes(2, "little")
    for tag, kind, count, value in fields:
        directory += b"".join(
            (
                tag.to_bytes(2, "little"),
                kind.to_bytes(2, "little"),
                count.to_bytes(4, "little"),
                value.to_bytes(4, "little"),
            )
        )
    bits = (16).to_bytes(2, "little") * 3
    return b"II*\0" + (8).to_bytes(4, "little") + directory + bytes(4) + bits + strip


def _photo(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(5)
    blobs = Image.fromarray(rng.integers(0, 256, (height // 400 + 2, width // 400 + 2, 3), dtype=np.uint8))
    # Squares of one colour, so that even lossless files stay below the limit on bytes.
    return blobs.resize((width, height), Image.Resampling.NEAREST)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode in {"RGBA", "LA"}:
        alpha = image.getchannel("R")
        image = image.convert(mode[:-1])
        image.putalpha(alpha)
        return image
    if mode == "P":
        return image.quantize(64)
    if mode == "LAB":
        return Image.merge("LAB", image.split())
    if mode in {"I;16", "F", "I"}:
        kind = {"I;16": np.uint16, "F": np.float32, "I": np.int32}[mode]
        return Image.fromarray(np.asarray(image.convert("L")).astype(kind) * 200)
    return image.convert(mode)


def _encoded(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
