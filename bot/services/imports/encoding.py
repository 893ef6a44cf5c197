"""Decode the bytes of a CSV file: UTF-8, UTF-16 or UTF-32, else Windows-1252 if its words can be read as that."""

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

# UTF-8 with a damaged byte elsewhere: a letter of two bytes within a word, or two letters of three bytes.
_DAMAGED_UTF_8 = re.compile(rb"[A-Za-z](?:[\xc3-\xc5][\x80-\xbf])+[A-Za-z]|(?:[\xe3-\xed][\x80-\xbf]{2}){2}")

_ACCENTED = "À-ÖØ-öø-ÿŒœŠšŽžŸ"
_WORD = re.compile(f"[A-Za-z]*[{_ACCENTED}][A-Za-z{_ACCENTED}]*")
_SIGN = "¡-¿"

# What other encodings look like as Windows-1252.
_FOREIGN = re.compile(
    # Another alphabet.
    f"[{_ACCENTED}]{{5}}"
    # Japanese, whose first bytes are signs.
    r"|ƒ|[^\s]‚[^\s]"
    # Chinese and Korean: signs and letters in pairs.
    f"|(?=[{_SIGN}]*[{_ACCENTED}])(?=[{_ACCENTED}]*[{_SIGN}])[{_ACCENTED}{_SIGN}]{{4}}"
    # Polish and the like: signs within a word.
    f"|[a-z{_ACCENTED}][¡-¦¨ª¬\u00ad¯±¶¸¹¼-¿][a-z]|[a-z]{{2}}[²³][a-z]|[a-z][±¹³]{{2}}|[a-z]{{2}}±(?!\\s?[\\d.,])"
    # Files of older Macs and of DOS: capitals and other marks within a word.
    f"|[a-z][ŠŽŸ]|[a-z{_ACCENTED}]§[a-z]|[a-z][”„‡†‰‹•ˆ˜][a-z{_ACCENTED}]"
    # The letters of Turkish, or of Icelandic, which can't be told apart.
    "|[ÐðÝýÞþ]"
)

# Accented letters that occur together: a word with letters of two languages is of a third one.
_ALPHABETS = tuple(
    map(
        frozenset,
        (
            "àâæçéèêëîïôœùûüÿ",  # French
            "äöüßéàåšž",  # German, Swedish, Finnish, Estonian
            "áéíñóúüçàèïòãâêõôªº",  # Spanish, Portuguese, Catalan
            "àèéìíîòóùúç",  # Italian
            "æøåéèêóòôüäö",  # Danish, Norwegian
            "éèëïóöüáíúêâîôûç",  # Dutch, Irish, Welsh
        ),
    )
)


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
        if b"\0" in content or _DAMAGED_UTF_8.search(content):
            raise TableRefused(name, f"This isn't UTF-8. {_ADVICE}", _line_of(content, error.start)) from None
    text = _decode(content, "cp1252", name)
    foreign = _foreign_place(text)
    if foreign is not None:
        line = text.count("\n", 0, foreign) + 1
        raise TableRefused(name, f"This is neither UTF-8 nor Windows-1252. {_ADVICE}", line)
    return text, "Windows-1252"


def _foreign_place(text: str) -> int | None:
    """Return where a text has what no language of Windows-1252 has; None if it has nothing of that."""
    sign = _FOREIGN.search(text)
    places = [sign.start()] if sign else []
    known: set[str] = set()
    for word in _WORD.finditer(text):
        if word.group() in known:
            continue
        letters = {letter for letter in word.group().lower() if not letter.isascii()}
        if not any(letters <= alphabet for alphabet in _ALPHABETS):
            places.append(word.start())
            break
        known.add(word.group())
    return min(places, default=None)


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
