"""Names for the kinds of pictures that are whole, but that the decoders can't read."""

from __future__ import annotations

from bot.images.decode import formats
from bot.images.decode.unusual import tiff_tags

_TIFF_COMPRESSIONS = {
    6: "an old kind of JPEG compression",
    9: "JBIG compression",
    10: "JBIG compression",
    34661: "JBIG compression",
    34676: "SGI compression",
    34677: "SGI compression",
    34712: "JPEG 2000 compression",
    34713: "camera raw compression",
    34887: "LERC compression",
    34892: "camera raw compression",
    34925: "LZMA compression",
    50000: "Zstandard compression",
    50001: "WebP compression",
    50002: "JPEG XL compression",
    52546: "JPEG XL compression",
}
_COMMON_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
_FLOATING, _SIGNED, _COMPLEX = 3, 2, (5, 6)
_RAW_PHOTOMETRIC, _HDR_PHOTOMETRICS = 32803, (32844, 32845)
_COMMON_BITS = (1, 2, 4, 8, 16)
_MAX_CHANNELS = 4

_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_HIERARCHICAL = {0xC5, 0xC6, 0xCD, 0xCE}
_BYTE = 8
_BMP_COMPRESSIONS = {4: "a BMP that contains a JPEG", 5: "a BMP that contains a PNG"}


def name_of_kind(data: bytes, found: formats.Format, *, is_opened: bool, frame: tuple[int, int] | None = None) -> str:
    """Return what kind of picture a decoder failed at, such as “a TIFF with floating-point pixels”, or an empty text.

    ``is_opened``: the decoder could read the header, so that its kind of pixels isn't the reason. ``frame``: marker and
    bits a sample of a JPEG.
    """
    if found is formats.TIFF:
        return _tiff_kind(data, is_opened=is_opened)
    if found is formats.JPEG and frame:
        return _jpeg_kind(*frame)
    if found is formats.BMP:
        return _BMP_COMPRESSIONS.get(int.from_bytes(data[30:34], "little"), "")
    return ""


def _jpeg_kind(marker: int, bits: int) -> str:
    if marker in _LOSSLESS:
        return "a lossless JPEG"
    if marker in _HIERARCHICAL:
        return "a hierarchical JPEG"
    return f"a JPEG with {bits} bits a colour" if bits > _BYTE else ""


def _tiff_kind(data: bytes, *, is_opened: bool) -> str:
    directory = next(tiff_tags.directories(data), None)
    if directory is None or not directory.is_complete or tiff_tags.WIDTH not in directory.tags:
        return ""
    compression = directory.first(tiff_tags.COMPRESSION, 1)
    if compression not in _COMMON_COMPRESSIONS:
        return f"a TIFF with {_TIFF_COMPRESSIONS.get(compression, f'compression {compression}')}"
    photometric = directory.first(tiff_tags.PHOTOMETRIC, 1)
    if photometric == _RAW_PHOTOMETRIC:
        return "a camera's raw file"
    if photometric in _HDR_PHOTOMETRICS:
        return "a TIFF with a high dynamic range"
    planes = directory.first(tiff_tags.PLANES, 1)
    bits = max(directory.tags.get(tiff_tags.BITS, (1,)))
    if is_opened:
        return f"a TIFF with separate planes of {bits} bits" if planes > 1 and bits > _BYTE else ""
    return _pixels_kind(directory, bits)


def _pixels_kind(directory: tiff_tags.Directory, bits: int) -> str:
    sample_format = directory.first(tiff_tags.SAMPLE_FORMAT, 1)
    if sample_format == _FLOATING:
        return "a TIFF with floating-point pixels"
    if sample_format in _COMPLEX:
        return "a TIFF with complex numbers"
    if sample_format == _SIGNED:
        return "a TIFF with signed pixels"
    channels = directory.first(tiff_tags.SAMPLES, 1)
    if channels > _MAX_CHANNELS:
        return f"a TIFF with {channels} channels"
    if bits not in _COMMON_BITS:
        return f"a TIFF with {bits} bits a sample"
    # The file has a size and a known compression, but an arrangement of samples that no decoder here knows.
    return "an unusual kind of TIFF"
