"""The copies and previews of a file that Slack offers, by the fields of its file object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from handlers.parsing.payloads.common import text

MAX_RENDITIONS = 4
"""Renditions that are remembered. If the largest ones can't be read, a smaller one can't be either."""

_SCALED = re.compile(r"thumb_(\d{2,4})")

_NAMED = {"pjpeg": 1024, "thumb_pdf": 900, "thumb_video": 640, "deanimate_gif": 360, "thumb_gif": 360}
"""Other fields with a still picture, and its usual longer side in pixels if Slack doesn't say."""

_LARGEST_SQUARE = 160
"""Slack crops smaller copies to squares, which compare badly."""

_MAX_SIDE = 100_000

_PREVIEWED = re.compile(
    r"video/.*"
    r"|application/(?:pdf|x-pdf|postscript|eps|illustrator|msword|rtf|vnd\.ms-(?:excel|powerpoint)\b.*"
    r"|vnd\.(?:openxmlformats-officedocument|oasis\.opendocument|apple|adobe|sketch)\b.*|x-(?:indesign|photoshop|iwork.*))"
    r"|image/(?:vnd\.adobe\.photoshop|x-(?:photoshop|psd)|psd|jp2|jpx|jpm|jpeg2000|svg\+xml|x-eps|heic|heif)"
)
"""Types of which Slack makes a preview, but which can't be read, or not always."""


def is_previewed(mimetype: str) -> bool:
    """Return whether Slack makes a preview of files of a type, perhaps some seconds after the upload."""
    return _PREVIEWED.fullmatch(mimetype) is not None


def renditions_of(file: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses of a file's copies and previews, largest first. Square crops come last.

    Slack shows the words of texts, and the waves of sounds.
    Slack makes no copy that is larger than the original.
    """
    if text(file.get("mimetype")).lower().startswith(("text/", "audio/")):
        return ()
    offered = sorted(_offered(file), reverse=True, key=lambda one: one[:2])
    return tuple(dict.fromkeys(address for *_, address in offered))[:MAX_RENDITIONS]


def _offered(file: Mapping[str, Any]) -> Iterator[tuple[bool, int, str]]:
    """Yield for each rendition whether it is whole, its longer side in pixels, and its address."""
    for name, value in file.items():
        address = text(value)
        if not address.startswith(("https://", "http://")):
            continue
        if scaled := _SCALED.fullmatch(name):
            yield int(scaled[1]) > _LARGEST_SQUARE, _side(file, name, int(scaled[1])), address
        elif name in _NAMED:
            yield True, _side(file, name, _NAMED[name]), address


def _side(file: Mapping[str, Any], name: str, usual: int) -> int:
    """Return the longer side of a rendition. Slack gives sizes as numbers, and in some objects as texts."""
    sizes = (text(value) or str(value) for value in (file.get(f"{name}_w"), file.get(f"{name}_h")))
    known = [int(size) for size in sizes if size.isascii() and size.isdecimal() and len(size) < len(str(_MAX_SIDE))]
    return max(known, default=0) or usual
