"""Which files are pictures that can be read: told by their first bytes, never by a name or a header."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.errors import PictureRefused

SUPPORTED_FORMATS = "JPEG, PNG, WebP, GIF, AVIF, HEIC, BMP or TIFF"

_HEAD = 1024
_MEGA = 1_000_000


@dataclass(frozen=True, slots=True)
class Format:
    """A picture format: its name in words, and the one Pillow decoder that may open it."""

    name: str
    decoder: str


JPEG = Format("JPEG", "JPEG")
PNG = Format("PNG", "PNG")
WEBP = Format("WebP", "WEBP")
GIF = Format("GIF", "GIF")
AVIF = Format("AVIF", "AVIF")
HEIC = Format("HEIC", "HEIF")
BMP = Format("BMP", "BMP")
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
    """The format of a file's content. Raises PictureRefused, saying what the file is where that can be told."""
    if not data:
        raise PictureRefused(f"The file is empty: send a {SUPPORTED_FORMATS} picture.")
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
    raise PictureRefused(_not_a_picture(data))


def is_web_page(data: bytes) -> bool:
    """Whether the bytes begin as HTML does, such as a sign-in page sent in place of a picture."""
    head = data[:_HEAD].lstrip(_MARKUP).lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or (
        head.startswith((b"<!--", b"<?xml")) and b"<html" in head
    )


def too_many_bytes(max_bytes: int) -> str:
    """The sentence for a file beyond the limit."""
    return f"The file is larger than the {max_bytes / _MEGA:g} MB that are taken: make it smaller and send it again."


def too_many_pixels(width: int, height: int, max_pixels: int) -> str:
    """The sentence for a picture beyond the limit."""
    return (
        f"The picture is {width} × {height} pixels and at most {max_pixels / _MEGA:g} megapixels are read: "
        "make it smaller and send it again."
    )


def _brands(data: bytes) -> set[bytes]:
    """The major and the compatible brands of an ISO media file's first box."""
    end = min(int.from_bytes(data[:4], "big"), _HEAD, len(data))
    return {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}


def _not_a_picture(data: bytes) -> str:
    if is_web_page(data):
        return "That is a web page, not a picture: send the picture's own address, or the file itself."
    what = _what_else(data)
    if what:
        return f"That is {what}, which can't be read here: send it as a {SUPPORTED_FORMATS} picture."
    return f"That file is not a picture that can be read: send a {SUPPORTED_FORMATS} picture."


def _what_else(data: bytes) -> str:
    for signature, name in _OTHERS:
        if data.startswith(signature):
            return name
    head = data[:_HEAD].lstrip(_MARKUP).lower()
    if head.startswith(b"<") and b"<svg" in head:
        return "an SVG drawing"
    if data[4:8] == b"ftyp":
        return "a video"
    return ""
