"""Frozen values that every room speaks in. No I/O, no framework."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, NewType, Self, TypeVar

from bot.errors import BackendError, InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

T = TypeVar("T")

WorkspaceId = NewType("WorkspaceId", str)
"""A Slack team id (``T…``), or ``LOCAL_WORKSPACE`` for what the command line made before Slack was connected."""

LOCAL_WORKSPACE = WorkspaceId("local")

API_WORKSPACE_PREFIX = "api:"
"""So begin the workspaces of those who use `vsearch serve-api`; they are in the back end alone, in no catalogue."""

DataId = NewType("DataId", str)
"""One image in one back end; opaque to everyone else."""

MAX_NOTE = 512
MAX_RESULTS = 1000
MAX_PAGE = 1000

_DATABASE = re.compile(r"[a-z0-9_]{2,64}", re.ASCII)
_ENTITY = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_PREFIX = re.compile(r"[a-z0-9_]{0,64}", re.ASCII)


class DatabaseName(str):
    """2 to 64 of ``a-z 0-9 _``, as the hosted API has it."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the form. Raises InvalidInput."""
        if not _DATABASE.fullmatch(text):
            raise InvalidInput("A database name has 2 to 64 of `a-z 0-9 _`, such as `product_photos`.")
        return super().__new__(cls, text)


class EntityId(str):
    """1 to 64 of ``a-z 0-9 _``: what a picture shows, such as a part number; groups its images."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check the form. Raises InvalidInput."""
        if not _ENTITY.fullmatch(text):
            raise InvalidInput("An entity id has 1 to 64 of `a-z 0-9 _`, such as `valve_0042`.")
        return super().__new__(cls, text)


class Note(str):
    """Free text of up to 512 characters (the API's ``ExtraData``); may be empty."""

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:
        """Check the length. Raises InvalidInput."""
        if len(text) > MAX_NOTE:
            raise InvalidInput(f"A note has up to {MAX_NOTE} characters; this one has {len(text)}.")
        if _UNSTORABLE.search(text):
            raise InvalidInput("The note has characters that can't be stored.")
        return super().__new__(cls, text)


@dataclass(frozen=True, slots=True, order=True)
class DatabaseKey:
    """A database of one workspace. Back ends take nothing less, so tenants are apart by construction."""

    workspace: WorkspaceId
    name: DatabaseName


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Picture:
    """A picture that ``images.normalise`` verified: upright, sRGB, stripped of metadata.

    ``pixels`` is height × width × 3, uint8, at most 1023 a side. ``source_digest`` is the SHA-256 (hex)
    of the bytes as received, ``digest`` that of the pixels: two files that look the same share it.
    """

    pixels: npt.NDArray[np.uint8]
    digest: str
    source_digest: str
    source_format: str
    source_size: tuple[int, int]

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])


class Verdict(StrEnum):
    """What the evidence says of a match, in the words that people read."""

    SAME = "same image"
    EDITED = "edited copy"
    SIMILAR = "similar"


class Edit(StrEnum):
    """What was seen of an edit, where a fingerprint or geometry shows it."""

    CROPPED = "cropped"
    MIRRORED = "mirrored"
    ROTATED = "rotated"
    FRAMED = "framed"
    RECOLOURED = "recoloured"


@dataclass(frozen=True, slots=True)
class Match:
    """One answer of a search. ``score`` runs from 0 to 10, higher is more alike."""

    data_id: DataId
    entity: EntityId
    note: Note
    score: float
    verdict: Verdict = Verdict.SIMILAR
    edits: tuple[Edit, ...] = ()


class Caveat(StrEnum):
    """What a reader of an answer should know."""

    SAME_IMAGES_ONLY = "same images only"
    """The back end could not be asked: these are the copies that our own fingerprints show, and nothing else."""
    CROWDED_OUT = "crowded out"
    """The back end gave as many as it ever does, and most were others': there may be further matches."""
    SETTLING = "settling"
    """Images were added a moment ago, and the back end may not show them yet: not to be kept, and not worth a word."""


class Matches(tuple[Match, ...]):  # noqa: SLOT001 - one of its two parts is the tuple itself
    """An answer: matches, best first, and its ``caveats``."""

    caveats: frozenset[Caveat]
    cause: BackendError | None

    def __new__(
        cls, matches: Iterable[Match] = (), caveats: Iterable[Caveat] = (), cause: BackendError | None = None
    ) -> Self:
        """Take them as they come. ``cause``: why there are no others."""
        answer = super().__new__(cls, matches)
        answer.caveats = frozenset(caveats)
        answer.cause = cause
        return answer


class Order(StrEnum):
    """Of a listing, by the time of the add."""

    NEWEST_FIRST = "desc"
    OLDEST_FIRST = "asc"


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a listing: by ``offset``, or from the ``token`` of the page before (which wins)."""

    offset: int = 0
    limit: int = 20
    token: str | None = None
    order: Order = Order.NEWEST_FIRST
    entity_prefix: str = ""

    def __post_init__(self) -> None:
        """Check the numbers. Raises InvalidInput."""
        if not 1 <= self.limit <= MAX_PAGE:
            raise InvalidInput(f"A page has 1 to {MAX_PAGE} images.")
        if self.offset < 0:
            raise InvalidInput("A page starts at 0 or later.")
        if not _PREFIX.fullmatch(self.entity_prefix):
            raise InvalidInput("An entity prefix has up to 64 of a-z, 0-9 and _.")


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One row of a back end's listing."""

    data_id: DataId
    entity: EntityId
    note: Note
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewHostedImage:
    """An image that is about to be given to the hosted service; ``fingerprint`` is its PDQ hash, or empty."""

    data_id: DataId
    entity: EntityId
    note: Note
    digest: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a listing: ``total`` counts all that fit the request, ``token`` leads on (None at the end)."""

    items: tuple[T, ...]
    total: int
    token: str | None = None


class ChannelKind(StrEnum):
    """Who can read a conversation."""

    PUBLIC = "public"
    """Everybody in the workspace."""
    PRIVATE = "private"
    DIRECT = "direct"
    """A direct message, to one or to several."""
    SHARED = "shared"
    """A Slack Connect channel: people of other organisations read it too."""


@dataclass(frozen=True, slots=True)
class SlackOrigin:
    """Where in Slack an image came from; ``kind`` is that of the channel when it was added."""

    file_id: str
    channel: str
    message_ts: str
    permalink: str = ""
    kind: ChannelKind = ChannelKind.PUBLIC


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What the catalogue knows of an image, whatever the back end.

    ``digest`` names the stored picture; ``fingerprint`` is the PDQ hash, 32 bytes. ``added_by`` is a Slack
    user id, or empty for the command line.
    """

    database: DatabaseKey
    data_id: DataId
    entity: EntityId
    note: Note
    digest: str
    source_digest: str
    fingerprint: bytes
    width: int
    height: int
    added_at: datetime
    added_by: str = ""
    source_name: str = ""
    origin: SlackOrigin | None = None


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """A database as listings show it. ``revision`` grows with each write to it.

    ``hints_at_hidden``: whether people learn that an image matched which they may not see.
    """

    key: DatabaseKey
    images: int
    created_at: datetime
    created_by: str = ""
    revision: int = 0
    hints_at_hidden: bool = False


def validate_limit(limit: int) -> int:
    """A number of results that a search takes, 1 to 1000. Raises InvalidInput."""
    if not 1 <= limit <= MAX_RESULTS:
        raise InvalidInput(f"A search gives 1 to {MAX_RESULTS} results.")
    return limit
