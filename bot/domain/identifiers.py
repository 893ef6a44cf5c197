"""Identifiers of workspaces, databases, entities and images; notes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NewType, Self

from bot.domain.errors import InvalidInput

WorkspaceId = NewType("WorkspaceId", str)
"""A Slack team id (``T…``), or ``LOCAL_WORKSPACE`` for data from the command line before a workspace connected."""

LOCAL_WORKSPACE = WorkspaceId("local")

API_WORKSPACE_PREFIX = "api:"
"""Prefix of the workspaces of API clients. They exist only in the back end, not in the catalogue."""

DataId = NewType("DataId", str)
"""Identifier of an image, the same in catalogue and back end. Opaque outside the back end."""

MAX_NOTE = 512

_DATABASE = re.compile(r"[a-z0-9_]{2,64}", re.ASCII)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")

MAX_ENTITY = 64
"""Characters of an id, as Unicode code points in normal form C."""

MAX_ENTITY_KEY = 255
"""Length of an id's key. Folding case makes up to three characters of one."""

# Most ids: these are in normal form and need no further check.
_PLAIN_ENTITY = re.compile(r"[!-~](?:[ -~]{0,62}[!-~])?", re.ASCII)

# Nothing is printed for these, and they come along with text that is copied from web pages.
_DROPPED = re.compile("[\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff]")

# Control characters, breaks of lines and paragraphs, halves of surrogate pairs, characters that change the direction of
# the text that follows, and code points that are no characters.
NOT_PRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17))
    + "]"
)

# An id of these alone would be shown as nothing.
_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200c-\u200f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)

# Two ids that differ in these alone look the same: marks of direction, soft hyphens, and the choice between a letter's
# form as text and as emoji.
_NOT_COMPARED = re.compile("[\u00ad\u061c\u200e\u200f\ufe0e\ufe0f]")
_BLANK = re.compile(r"\s")
_WIDTHS = ("<wide>", "<narrow>")


class DatabaseName(str):
    """The name of a database: 2 to 64 characters, ``a-z 0-9 _``, the same limits as in the hosted API."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raise InvalidInput if the text is not valid."""
        if not _DATABASE.fullmatch(text):
            raise InvalidInput("A database name must have 2 to 64 characters: `a-z 0-9 _`. Example: `product_photos`.")
        return super().__new__(cls, text)

    def __deepcopy__(self, _memo: dict[int, object]) -> Self:
        """Return the name itself. A new one would be validated, and ALL_DATABASES is not valid."""
        return self


ALL_DATABASES = str.__new__(DatabaseName, "*")
"""Stands for every database that the reader of an answer may see. No database has this name."""


def database_or_all(text: str) -> DatabaseName:
    """Return the name of a database, or ALL_DATABASES for ``*``. Raises InvalidInput."""
    return ALL_DATABASES if text == ALL_DATABASES else DatabaseName(text)


class EntityId(str):
    """The id of what a picture shows, such as a part number. An entity may have several images.

    Any printable text of 1 to 64 characters, kept as written: in normal form C, without blanks around it. Two ids are
    the same entity if their ``key`` is the same.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Raise InvalidInput if the text is not valid."""
        if _PLAIN_ENTITY.fullmatch(text):
            return super().__new__(cls, text)
        written = _DROPPED.sub("", unicodedata.normalize("NFC", text)).strip()
        # Without the dropped characters, a letter and its accent may have come together.
        written = unicodedata.normalize("NFC", written)
        if not written:
            raise InvalidInput("An id must have 1 to 64 characters. Example: `VLV-0042/A`.")
        if NOT_PRINTABLE.search(written) or _INVISIBLE.fullmatch(written):
            raise InvalidInput(
                "An id must be printable: no line breaks, control characters or marks that reverse the text."
            )
        if len(written) > MAX_ENTITY:
            raise InvalidInput(f"An id can have up to {MAX_ENTITY} characters. This one has {len(written):,}.")
        return super().__new__(cls, written)

    @property
    def key(self) -> str:
        """The form in which ids are compared."""
        return entity_key(self)

    def is_same(self, other: str) -> bool:
        """Return whether both are the same entity, however they are written."""
        return self == other or entity_key(self) == entity_key(other)


def entity_key(text: str) -> str:
    """Return the form in which ids, and beginnings of ids, are compared. It ignores case and the normal form.

    It also ignores differences that nobody means: the width of letters in East Asian fonts, the kind of blanks, and
    characters that nothing is printed for. Signs such as ``²`` and ``2`` stay different.
    """
    if text.isascii():
        return _BLANK.sub(" ", text).lower()
    narrow = "".join(_at_usual_width(letter) for letter in _NOT_COMPARED.sub("", _DROPPED.sub("", text)))
    folded = unicodedata.normalize("NFD", narrow).casefold()
    return _BLANK.sub(" ", unicodedata.normalize("NFC", folded))


def validate_entity_prefix(text: str) -> str:
    """Return the beginning of an id, which may be empty. Raises InvalidInput for what no id begins with."""
    if len(text) > MAX_ENTITY or NOT_PRINTABLE.search(text):
        raise InvalidInput(f"The beginning of an id can have up to {MAX_ENTITY} printable characters.")
    return text


def _at_usual_width(letter: str) -> str:
    if letter < "\u3000":
        return letter
    kind, _, code = unicodedata.decomposition(letter).partition(" ")
    return chr(int(code, 16)) if kind in _WIDTHS else letter


class Note(str):
    """Free text about an image, up to 512 characters (``ExtraData`` in the API); may be empty."""

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:
        """Raise InvalidInput if the text is too long or can't be stored."""
        if len(text) > MAX_NOTE:
            raise InvalidInput(f"A note can have up to {MAX_NOTE} characters. This one has {len(text)}.")
        if _UNSTORABLE.search(text):
            raise InvalidInput("The note contains invalid characters. Type it again without them.")
        return super().__new__(cls, text)


@dataclass(frozen=True, slots=True, order=True)
class DatabaseKey:
    """A database of one workspace. Back ends take only this key, which keeps workspaces apart."""

    workspace: WorkspaceId
    name: DatabaseName
