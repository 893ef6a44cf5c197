"""Output in encodings that lack some characters, such as ASCII and Latin-1."""

from __future__ import annotations

import codecs
import io

_HANDLER = "vsearch_plain"

_PLAIN = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "…": "...",
        "–": "-",
        "—": "-",
        "·": "-",
        "×": "x",
        "→": "->",
        "✓": "+",
        "✗": "x",
        "\u202f": " ",
        "\xa0": " ",
    }
)


def print_in_any_encoding(stream: io.TextIOWrapper) -> None:
    """Make a stream print what its encoding lacks in plain characters, or else as a backslash and a number.

    File names may contain undecodable bytes, and not every terminal can print all of UTF-8.
    """
    codecs.register_error(_HANDLER, _replaced)
    stream.reconfigure(errors=_HANDLER)


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    return plain.encode("ascii", "backslashreplace").decode("ascii"), error.end
