"""Values of the catalogue: images, where they came from, and databases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note


@dataclass(frozen=True, slots=True)
class NewHostedImage:
    """An image that is about to be given to the hosted service; ``fingerprint`` is its PDQ hash, or empty."""

    data_id: DataId
    entity: EntityId
    note: Note
    digest: str
    fingerprint: bytes


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
