"""Values of the catalogue: images, their origins and databases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import DatabaseKey, DataId, EntityId, Note


@dataclass(frozen=True, slots=True)
class NewHostedImage:
    """An image to add at the hosted service; ``fingerprint`` is its PDQ hash (32 bytes), or empty."""

    data_id: DataId
    entity: EntityId
    note: Note
    digest: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class SlackOrigin:
    """The Slack message an image came from; ``kind`` is the channel's kind when the image was added."""

    file_id: str
    channel: str
    message_ts: str
    permalink: str = ""
    kind: ChannelKind = ChannelKind.PUBLIC


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image in the catalogue, the same for all back ends.

    ``digest`` is the SHA-256 (hex) of the pixels and names the stored picture; ``source_digest`` is that of the file as
    received. ``fingerprint`` is the PDQ hash (32 bytes). ``width`` and ``height`` are in pixels. ``added_by`` is a
    Slack user id, or empty for the command line.
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
    """A database with its number of images. ``revision`` increases with each write to it.

    ``hints_at_hidden``: whether answers mention that there are matches which the reader may not see.
    """

    key: DatabaseKey
    images: int
    created_at: datetime
    created_by: str = ""
    revision: int = 0
    hints_at_hidden: bool = False
