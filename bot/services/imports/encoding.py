"""Decode the bytes of a CSV file: UTF-8, UTF-16 or UTF-32, else Windows-1252."""

from __future__ import annotations

import codecs
import re

from bot.domain.errors import TableRefused

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark UTF-32 begins with.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ADVICE = "Save it as a CSV file in UTF-8."
_SAMPLE = 4_096

# What other encodings look like as Windows-1252: words of accented letters alone are another alphabet, and ƒ and ‚
# beside other characters are Japanese.
_FOREIGN = re.compile(r"[À-ÖØ-öø-ÿ]{5}|ƒ|[^\s]‚[^\s]")


def decode_table(content: bytes, name: str) -> tuple[str, str]:
    """Return the text of a table without its byte order mark, and the name of its encoding.

    Raises TableRefused, which names the line, if the encoding isn't sure.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _decode(content[len(mark) :], encoding, name), encoding
    encoding = _utf_16_without_mark(content[:_SAMPLE])
    if encoding:
        return _decode(content, encoding, name), encoding
    try:
        return content.decode(), "utf-8"
    except UnicodeDecodeError as error:
        if b"\0" in content:
            raise TableRefused(name, f"This isn't UTF-8. {_ADVICE}", _line_of(content, error.start)) from None
    text = _decode(content, "cp1252", name)
    foreign = _FOREIGN.search(text)
    if foreign:
        line = text.count("\n", 0, foreign.start()) + 1
        raise TableRefused(name, f"This is neither UTF-8 nor Windows-1252. {_ADVICE}", line)
    return text, "Windows-1252"


def _utf_16_without_mark(sample: bytes) -> str:
    """Return UTF-16 if every other byte is zero, as in Latin text; an empty string if not."""
    even, odd = sample[::2], sample[1::2]
    if len(odd) > 1:
        if odd.count(0) > len(odd) * 0.6 and 0 not in even:
            return "utf-16-le"
        if even.count(0) > len(even) * 0.6 and 0 not in odd:
            return "utf-16-be"
    return ""


def _decode(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = _line_of(content, error.start) if encoding in {"utf-8", "cp1252"} else 0
        raise TableRefused(name, f"This isn't UTF-8. {_ADVICE}", line) from None


def _line_of(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1
