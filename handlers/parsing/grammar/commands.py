"""Parsed commands. A ``database`` of None stands for the channel's database or the workspace's only one."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.channels import NO_CHANGES, ChannelMode, RuleChanges, SettingsEditors
from bot.domain.identifiers import DatabaseName, EntityId, Note
from bot.domain.pages import Order
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM

FOUND_PER_PAGE = 8
"""Images on a page of what was found by words."""


@dataclass(frozen=True, slots=True)
class ImageReference:
    """The image of a command: the one at ``url``, or the ``last`` one shared in the channel."""

    url: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class OpenForm:
    """Open the search modal, for a command without text."""


@dataclass(frozen=True, slots=True)
class SearchCommand:
    """Search with an image."""

    source: ImageReference
    database: DatabaseName | None = None
    limit: int = DEFAULT_LIMIT
    minimum: float = DEFAULT_MINIMUM


@dataclass(frozen=True, slots=True)
class FindCommand:
    """Find images by words."""

    words: str
    database: DatabaseName | None = None
    limit: int = FOUND_PER_PAGE


@dataclass(frozen=True, slots=True)
class AddCommand:
    """Add an image to a database. An ``entity`` of None is derived from the file name."""

    source: ImageReference
    database: DatabaseName | None = None
    entity: EntityId | None = None
    note: Note = field(default_factory=Note)


@dataclass(frozen=True, slots=True)
class ListImages:
    """List a database's images whose entity begins with ``prefix``."""

    database: DatabaseName | None = None
    prefix: str = ""
    order: Order = Order.NEWEST_FIRST


@dataclass(frozen=True, slots=True)
class DeleteEntity:
    """Delete all images of an entity, after a confirmation."""

    entity: EntityId
    database: DatabaseName | None = None


@dataclass(frozen=True, slots=True)
class RenameEntity:
    """Give all images of an entity another id, after a question if other images have it."""

    entity: EntityId
    new: EntityId
    database: DatabaseName | None = None


@dataclass(frozen=True, slots=True)
class SetNote:
    """Replace the note of an entity's images."""

    entity: EntityId
    note: Note
    database: DatabaseName | None = None


@dataclass(frozen=True, slots=True)
class ExportCommand:
    """Send the images of a database to the author as an archive."""

    database: DatabaseName | None = None


@dataclass(frozen=True, slots=True)
class ReportCommand:
    """Show what was asked of a database and found in it, or send it as CSV."""

    database: DatabaseName | None = None
    as_csv: bool = False


@dataclass(frozen=True, slots=True)
class ListDatabases:
    """List the databases with their sizes."""


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """Create a database."""

    name: DatabaseName


@dataclass(frozen=True, slots=True)
class DeleteDatabase:
    """Delete a database, after its name was typed in a modal."""

    name: DatabaseName


@dataclass(frozen=True, slots=True)
class LinkDatabase:
    """Set the link for each id of a database; without a ``template``, show it. NO_LINK as one removes it."""

    name: DatabaseName
    template: str = ""


@dataclass(frozen=True, slots=True)
class WatchCommand:
    """Set the channel's mode, database, minimum score and rules. None keeps the current value."""

    mode: ChannelMode | None = None
    database: DatabaseName | None = None
    minimum: float | None = None
    rules: RuleChanges = NO_CHANGES


@dataclass(frozen=True, slots=True)
class SetEditors:
    """Set who may change channels' settings. ``people`` are ids, or names as they were typed."""

    editors: SettingsEditors


@dataclass(frozen=True, slots=True)
class UnwatchCommand:
    """Ignore images shared in the channel."""


@dataclass(frozen=True, slots=True)
class ImportHistory:
    """Add the channel's past pictures. ``since``: in seconds since 1970; 0 for all."""

    database: DatabaseName | None = None
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class StatusCommand:
    """Show the channel's settings, the databases and the health of the back end."""


@dataclass(frozen=True, slots=True)
class HelpCommand:
    """Show the help about a topic; an empty one stands for the short help."""

    topic: str = ""


Command = (
    OpenForm
    | SearchCommand
    | FindCommand
    | AddCommand
    | ListImages
    | DeleteEntity
    | RenameEntity
    | SetNote
    | ExportCommand
    | ReportCommand
    | ListDatabases
    | CreateDatabase
    | DeleteDatabase
    | LinkDatabase
    | WatchCommand
    | SetEditors
    | UnwatchCommand
    | ImportHistory
    | StatusCommand
    | HelpCommand
)
