"""Detects the format of a file by its first bytes. File names and headers are ignored, because they can be wrong."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.errors import PictureRefused

SUPPORTED_FORMATS = "JPEG, PNG, WebP, GIF, AVIF, HEIC, BMP or TIFF"

_HEAD_BYTES = 1024
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Format:
    """A picture format: its display name, and the only Pillow decoder that may open it."""

    name: str
    decoder: str


JPEG = Format("JPEG", "JPEG")
PNG = Format("PNG", "PNG")
WEBP = Format("WebP", "WEBP")
GIF = Format("GIF", "GIF")
AVIF = Format("AVIF", "AVIF")
HEIC = Format("HEIC", "HEIF")
BMP = Format("BMP", "BMP")
DIB = Format("BMP", "DIB")
"""A BMP without its file header, as Windows puts it on the clipboard."""

TIFF = Format("TIFF", "TIFF")

_SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"BM", BMP),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
)
_DIB_HEADERS = {40, 52, 56, 64, 108, 124}
_DIB_BITS = {1, 4, 8, 16, 24, 32}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "an archive or office document"),
    (b"\x1f\x8b", "an archive"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"%!PS", "a PostScript document"),
    (b"\x1aE\xdf\xa3", "a video"),
)
_MARKUP = b"\xef\xbb\xbf \t\r\n"


def detect_format(data: bytes) -> Format:
    """Return the format of a file's content. Raises PictureRefused, which names the other format if it is known."""
    if not data:
        raise PictureRefused(f"The file is empty. Send a {SUPPORTED_FORMATS} picture.")
    for signature, found in _SIGNATURES:
        if data.startswith(signature):
            return found
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[4:8] == b"ftyp":
        brands = _brands(data)
        if brands & _AVIF_BRANDS:
            return AVIF
        if brands & _HEIC_BRANDS:
            return HEIC
    if _is_dib(data):
        return DIB
    raise PictureRefused(_not_a_picture(data))


def is_web_page(data: bytes) -> bool:
    """Return whether the bytes begin like HTML, such as a sign-in page that a server sent in place of a picture."""
    head = data[:_HEAD_BYTES].lstrip(_MARKUP).lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (
        head.startswith((b"<!--", b"<?xml")) and b"<html" in head
    )


def too_many_bytes(max_bytes: int) -> str:
    """Return the refusal of a file that has too many bytes."""
    return f"The file is larger than {max_bytes / _MILLION:g} MB. Make it smaller and send it again."


def too_much_memory(data: bytes) -> str:
    """Return the sentence for a picture whose decoding does not fit the memory budget."""
    try:
        name = detect_format(data).name
    except PictureRefused:
        name = "picture"
    return (
        f"The {name} needs more memory to decode than the bot may use. Send a smaller copy or a JPEG, or ask an admin "
        "to raise `VSEARCH_IMAGE_MEMORY_MB`."
    )


def too_many_pixels(width: int, height: int, max_pixels: int) -> str:
    """Return the refusal of a picture that has too many pixels."""
    return (
        f"The picture is {width} × {height} pixels, more than the limit of {max_pixels / _MILLION:g} megapixels. "
        "Make it smaller and send it again."
    )


def unreadable_kind(name: str) -> str:
    """Return the refusal of a whole picture of a kind that can't be read, such as “a TIFF with complex numbers”."""
    return f"The file is {name}, which can't be read here. Save it as a standard JPEG or PNG and send that."


def _is_dib(data: bytes) -> bool:
    """Return whether the bytes begin with the header of a bitmap: its length, a size, one plane, and known bits."""
    if len(data) < min(_DIB_HEADERS) or int.from_bytes(data[:4], "little") not in _DIB_HEADERS:
        return False
    planes, bits = (int.from_bytes(data[at : at + 2], "little") for at in (12, 14))
    return planes == 1 and bits in _DIB_BITS


def _brands(data: bytes) -> set[bytes]:
    """Return the major and compatible brands in the first box of an ISO media file."""
    end = min(int.from_bytes(data[:4], "big"), _HEAD_BYTES, len(data))
    return {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}


def _not_a_picture(data: bytes) -> str:
    if is_web_page(data):
        return "That's a web page, not a picture. Send the picture's own link, or the file itself."
    other = _other_format(data)
    if other:
        return f"The file is {other}, which isn't supported. Send it as a {SUPPORTED_FORMATS} picture."
    return f"The file isn't a picture in a supported format. Send a {SUPPORTED_FORMATS} picture."


def _other_format(data: bytes) -> str:
    for signature, name in _OTHERS:
        if data.startswith(signature):
            return name
    head = data[:_HEAD_BYTES].lstrip(_MARKUP).lower()
    if head.startswith(b"<") and b"<svg" in head:
        return "an SVG drawing"
    if data[4:8] == b"ftyp":
        return "a video"
    return ""
