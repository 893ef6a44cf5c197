"""Values of the catalogue: images, their origins and databases."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.jobs import time_of_message

_NO_NOTE = Note()

_FIRST_S, _LAST_S = 1e9, 1e11
"""Times that messages of Slack can have, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class NewHostedImage:
    """An image to add at the hosted service; ``fingerprint`` is its PDQ hash (32 bytes), or empty."""

    data_id: DataId
    entity: EntityId
    note: Note
    digest: str
    fingerprint: bytes


class OriginSource(StrEnum):
    """The way in which an image came into a database."""

    MESSAGE = "message"
    """A file of a Slack message: shared in a watched channel, or added by a button, shortcut or command."""
    FORM = "form"
    """A file chosen in a form in Slack."""
    URL = "url"
    """A URL that somebody named in Slack."""
    COMMAND_LINE = "command_line"
    IMPORT = "import"
    """A folder or table that the operator imported."""


OPERATOR_SOURCES = frozenset({OriginSource.COMMAND_LINE, OriginSource.IMPORT})
"""Sources of images that the operator added. An uninstall doesn't delete them."""


@dataclass(frozen=True, slots=True)
class SlackOrigin:
    """The Slack file and message of an origin; ``kind`` is the channel's kind when the image was added.

    ``message_ts`` is empty for a file from a form, and ``channel`` too if the form was opened in a public channel or
    in none. A URL that was given where not everybody can read has only ``channel`` and ``kind``.
    """

    file_id: str
    channel: str
    message_ts: str
    permalink: str = ""
    kind: ChannelKind = ChannelKind.PUBLIC

    @property
    def place(self) -> tuple[str, str, str]:
        """The file, channel and message, which tell two origins apart."""
        return self.file_id, self.channel, self.message_ts


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that an image came from, and what was said there.

    ``author`` is the Slack user id of whoever shared or added it, or empty for the operator. ``entity`` is the id that
    the image was given here, ``named_automatically`` if it was made from a file name; None stands for the one that the
    image has. ``imported``: the operator imported an export of the image with this origin. ``source_name`` is the name
    of the file. ``posted``: ``author`` posted the message, and didn't only add a picture of it. ``slack`` is set
    for sources MESSAGE and FORM, and for URL where not everybody can read.
    """

    source: OriginSource
    added_at: datetime
    author: str = ""
    note: Note = _NO_NOTE
    source_name: str = ""
    slack: SlackOrigin | None = None
    # Not compared, since they don't make a place another one.
    entity: EntityId | None = field(default=None, compare=False)
    imported: bool = field(default=False, compare=False)
    named_automatically: bool = field(default=False, compare=False)
    posted: bool = field(default=False, compare=False)

    @property
    def posted_at(self) -> datetime:
        """When the message was posted; for other origins, when the image was added."""
        seconds = time_of_message(self.slack.message_ts) if self.slack else 0.0
        return datetime.fromtimestamp(seconds, UTC) if _FIRST_S < seconds < _LAST_S else self.added_at

    @property
    def is_operators(self) -> bool:
        """Whether the operator brought the image from here, so that an uninstall doesn't delete it."""
        return self.imported or self.source in OPERATOR_SOURCES

    def gave(self, entity: EntityId) -> bool:
        """Return whether an image with this id got it here, however it is written."""
        return self.entity is None or self.entity.is_same(entity)

    def is_same_place(self, other: Origin) -> bool:
        """Return whether both are one origin, such as a share that Slack delivered twice."""
        if (self.slack and self.slack.place) != (other.slack and other.slack.place):
            return False
        if self.slack and self.slack.file_id:
            return True
        return (self.source, self.author, self.source_name) == (other.source, other.author, other.source_name)


@dataclass(frozen=True, slots=True)
class OriginScope:
    """Selects origins: those of a workspace (None: of all) for which all other conditions hold.

    ``file``, ``channel`` and ``message`` are Slack's; they and ``database`` select any if they are empty. ``before``
    selects origins that are older. ``from_slack`` leaves out the operator's.
    """

    workspace: WorkspaceId | None
    file: str = ""
    channel: str = ""
    message: str = ""
    database: str = ""
    before: datetime | None = None
    from_slack: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a scope that would select every origin."""
        if not (self.file or self.channel or self.before or self.from_slack):
            raise ValueError("An origin scope needs a file, a channel, an age or a source.")
        if self.message and not self.channel:
            raise ValueError("A message is only unique within its channel.")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image in the catalogue, the same for all back ends.

    ``digest`` is the SHA-256 (hex) of the pixels and names the stored picture; ``source_digest`` is that of the first
    file as received. ``fingerprint`` is the PDQ hash (32 bytes). ``width`` and ``height`` are in pixels. There is at
    least one origin; the oldest comes first. ``named_automatically``: the id was made from a file name.

    What is shown of an image comes from its origins. A record that is ``seen_through`` some of them shows only theirs.
    """

    database: DatabaseKey
    data_id: DataId
    entity: EntityId
    digest: str
    source_digest: str
    fingerprint: bytes
    width: int
    height: int
    origins: tuple[Origin, ...]
    named_automatically: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError if there is no origin."""
        if not self.origins:
            raise ValueError("An image needs an origin.")

    def seen_through(self, origins: Collection[Origin]) -> ImageRecord:
        """Return the record with only those of its origins that are in ``origins``. Raises ValueError if none is.

        It has the image's id if one of them gave it, else the id that the oldest of them gave. It is written as one of
        them wrote it: the database's spelling may be that of an image that the reader may not see.
        """
        seen = replace(self, origins=tuple(origin for origin in self.origins if origin in origins))
        oldest = seen.first
        gave = [origin for origin in seen.origins if origin.gave(self.entity)]
        if any(origin.entity is None or origin.entity == self.entity for origin in gave):
            return seen
        if gave:
            return replace(seen, entity=gave[0].entity or self.entity)
        if oldest.entity is None:
            return seen
        return replace(seen, entity=oldest.entity, named_automatically=oldest.named_automatically)

    def without_message(self, message: SlackOrigin) -> ImageRecord | None:
        """Return the record as seen through its origins outside a message; None if it has no others."""
        place = (message.channel, message.message_ts)
        others = [one for one in self.origins if not one.slack or (one.slack.channel, one.slack.message_ts) != place]
        return self.seen_through(others) if others else None

    @property
    def first(self) -> Origin:
        """The oldest origin: who brought the image, when and from where."""
        return self.origins[0]

    @property
    def note(self) -> Note:
        """The oldest note."""
        return next((origin.note for origin in self.origins if origin.note), _NO_NOTE)

    @property
    def added_at(self) -> datetime:
        """The time of the oldest origin."""
        return self.first.added_at

    @property
    def added_by(self) -> str:
        """The author of the oldest origin."""
        return self.first.author

    @property
    def source_name(self) -> str:
        """The file name of the oldest origin."""
        return self.first.source_name

    @property
    def posted_at(self) -> datetime | None:
        """When its author posted it in Slack, if that is where the oldest origin comes from."""
        return self.first.posted_at if self.first.posted and self.first.slack else None

    @property
    def origin(self) -> SlackOrigin | None:
        """The Slack message of the oldest origin, if it has one."""
        return self.first.slack


@dataclass(frozen=True, slots=True)
class RemovedOrigins:
    """How many origins of an image were taken away, how many it has left, and the id that it has now."""

    removed: int
    left: int
    entity: EntityId | None = None


@dataclass(frozen=True, slots=True)
class ScoreFit:
    """Scores of a database that are fitted to its own pictures: by itself when it had ``images``, or by an operator.

    ``images`` is 0 if an operator fitted them.
    """

    images: int = 0

    @property
    def is_by_hand(self) -> bool:
        """Whether an operator fitted the scores."""
        return not self.images


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """A database with its number of images. ``revision`` increases with each write to it.

    ``hints_at_hidden``: whether answers mention that there are matches which the reader may not see. ``link``: the
    template of a link for each id, or empty.
    """

    key: DatabaseKey
    images: int
    created_at: datetime
    created_by: str = ""
    revision: int = 0
    hints_at_hidden: bool = False
    link: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """A state of the catalogue: the row id of its newest origin, and the time. Without an id, only the time counts."""

    at: datetime
    origin: int | None = None


@dataclass(frozen=True, slots=True)
class NewImages:
    """New images of a database that one person brought from one place.

    ``author`` is empty for the operator, ``channel`` if they came from no conversation.
    """

    database: DatabaseName
    author: str
    channel: str
    images: int
