"""Images with words, and the search for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.find_words import terms_of
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.sql_storage import SqlStorage

TEAM = WorkspaceId("T1")
PARTS, BRAND = (DatabaseKey(TEAM, DatabaseName(name)) for name in ("parts", "brand"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def said(note: str = "", name: str = "", channel: str = "", entity: str | None = None, second: int = 0) -> Origin:
    """Return an origin with what was said there: in a private channel, or on the command line."""
    return Origin(
        OriginSource.MESSAGE if channel else OriginSource.COMMAND_LINE,
        NOW + timedelta(seconds=second),
        "U1",
        Note(note),
        name,
        SlackOrigin(f"F{channel}{second}", channel, "1.0", kind=ChannelKind.PRIVATE) if channel else None,
        None if entity is None else EntityId(entity),
    )


async def added(
    storage: SqlStorage, number: int, *origins: Origin, entity: str = "", key: DatabaseKey = PARTS
) -> ImageRecord:
    record = ImageRecord(
        database=key,
        data_id=DataId(f"{number}"),
        entity=EntityId(entity or f"part {number}"),
        digest=f"{number:064d}",
        source_digest="0" * 64,
        fingerprint=b"",
        width=1,
        height=1,
        origins=origins or (said(second=number),),
    )
    await storage.catalogue.add(record)
    return record


async def find(
    storage: SqlStorage, words: str, visible: VisibleOrigins | None = None, key: DatabaseKey = PARTS, limit: int = 10
) -> list[str]:
    return list(await storage.words.find(key, terms_of(words), visible, limit, words))
