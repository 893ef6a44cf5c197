"""Parse messages that bring a table of pictures to the bot: in a direct message, or with a mention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from handlers.parsing.payloads.common import items, mapping, text
from handlers.parsing.payloads.events import Mention, message_to_bot
from handlers.parsing.payloads.files import SharedFile, parse_file
from handlers.parsing.payloads.pictures import images_of

_TABLES = frozenset(
    {
        "csv",
        "tsv",
        "xlsx",
        "xlsm",
        "text/csv",
        "text/tab-separated-values",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)
_ARCHIVES = frozenset({"zip", "application/zip", "application/x-zip-compressed"})


@dataclass(frozen=True, slots=True)
class TableShare:
    """A message to the bot with tables, and what their pictures may be in: ZIP files and pictures beside them."""

    message: Mention
    tables: tuple[SharedFile, ...]
    archives: tuple[SharedFile, ...]
    pictures: tuple[SharedFile, ...]


def parse_table_share(body: Mapping[str, Any], bot_user: str = "", *, is_stored: bool = False) -> TableShare | None:
    """Parse a message with a table. Return None for others, and for messages that don't ask the bot.

    ``is_stored``: the body is from the inbox, where only messages to the bot are stored.
    """
    listed = mapping(body.get("event")).get("files")
    tables = _files(listed, _TABLES)
    message = message_to_bot(body, bot_user, is_stored=is_stored) if tables else None
    return None if message is None else TableShare(message, tables, _files(listed, _ARCHIVES), images_of(listed))


def _files(listed: object, kinds: frozenset[str]) -> tuple[SharedFile, ...]:
    files = [file for item in items(listed) if _is_one_of(item, kinds) and (file := parse_file(item))]
    return tuple({file.id: file for file in files}.values())


def _is_one_of(item: object, kinds: frozenset[str]) -> bool:
    file = mapping(item)
    suffix = PurePosixPath(text(file.get("name")) or text(file.get("title"))).suffix
    said = {suffix.lower().lstrip("."), text(file.get("filetype")).lower(), text(file.get("mimetype")).lower()}
    return bool(said & kinds)
