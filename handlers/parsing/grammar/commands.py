"""What a command says, as values. ``database`` is None where none was named: the channel's, or the only one."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.domain.channels import ChannelMode
from bot.domain.identifiers import DatabaseName, EntityId, Note
from bot.domain.pages import Order
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM


@dataclass(frozen=True, slots=True)
class ImageReference:
    """Which image is meant: the one at ``url``, or the ``last`` that was shared in the channel."""

    url: str = ""
    last: bool = False


@dataclass(frozen=True, slots=True)
class OpenForm:
    """Nothing was said: ask with a modal."""


@dataclass(frozen=True, slots=True)
class SearchCommand:
    """Look an image up."""

    source: ImageReference
    database: DatabaseName | None = None
    limit: int = DEFAULT_LIMIT
    minimum: float = DEFAULT_MINIMUM


@dataclass(frozen=True, slots=True)
class AddCommand:
    """Put an image into a database. ``entity``: None for one made from the file's name."""

    source: ImageReference
    database: DatabaseName | None = None
    entity: EntityId | None = None
    note: Note = field(default_factory=Note)


@dataclass(frozen=True, slots=True)
class ListImages:
    """Show a database's images, those of entities that begin with ``prefix``."""

    database: DatabaseName | None = None
    prefix: str = ""
    order: Order = Order.NEWEST_FIRST


@dataclass(frozen=True, slots=True)
class DeleteEntity:
    """Delete every image of an entity, once that was confirmed."""

    entity: EntityId
    database: DatabaseName | None = None


@dataclass(frozen=True, slots=True)
class ListDatabases:
    """Name the databases and their sizes."""


@dataclass(frozen=True, slots=True)
class CreateDatabase:
    """Make a database."""

    name: DatabaseName


@dataclass(frozen=True, slots=True)
class DeleteDatabase:
    """Delete a database, once its name was typed."""

    name: DatabaseName


@dataclass(frozen=True, slots=True)
class WatchCommand:
    """Set what happens to images shared in the channel. None: leave it as it is."""

    mode: ChannelMode | None = None
    database: DatabaseName | None = None
    minimum: float | None = None


@dataclass(frozen=True, slots=True)
class UnwatchCommand:
    """Do nothing with images shared in the channel."""


@dataclass(frozen=True, slots=True)
class StatusCommand:
    """Tell the channel's settings, the databases and the health of the backend."""


@dataclass(frozen=True, slots=True)
class HelpCommand:
    """Explain what there is; ``problem`` says first what was not understood."""

    problem: str = ""


Command = (
    OpenForm
    | SearchCommand
    | AddCommand
    | ListImages
    | DeleteEntity
    | ListDatabases
    | CreateDatabase
    | DeleteDatabase
    | WatchCommand
    | UnwatchCommand
    | StatusCommand
    | HelpCommand
)
