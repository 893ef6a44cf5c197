"""File objects, of messages and of files.info."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from handlers.parsing.payloads.common import mapping, text

RENDITIONS = ("thumb_1024", "thumb_960", "thumb_720")
"""Slack's own smaller copies, largest first; those above the original's size are absent."""

_UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/binary"})
_MAX_SIZE = 2**53


class FileState(StrEnum):
    """Whether a file object says enough to fetch the file."""

    READY = "ready"
    STUB = "stub"
    """Slack Connect's ``check_file_info``, or a file that Slack is still processing: ask files.info."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file of a message, as far as Slack described it."""

    id: str
    state: FileState
    name: str = ""
    mimetype: str = ""
    size: int = 0
    url: str = ""
    renditions: tuple[str, ...] = ()

    @property
    def claims_to_be_image(self) -> bool:
        """Its declared type says image; people then expect an answer, be it a refusal."""
        return self.mimetype.startswith("image/")

    @property
    def may_be_image(self) -> bool:
        """Not declared as something else. The bytes decide in the end: types and names are often wrong."""
        return self.claims_to_be_image or self.mimetype in _UNDECLARED


def parse_file(raw: object) -> SharedFile | None:
    """A file object, of a message or of files.info; None if it has no id."""
    file = mapping(raw)
    identifier = text(file.get("id"))
    if not identifier:
        return None
    url = text(file.get("url_private"))
    mimetype = text(file.get("mimetype")).lower()
    return SharedFile(
        identifier,
        _state(file, url, mimetype),
        text(file.get("title")) or text(file.get("name")),
        mimetype,
        byte_count(file.get("size")),
        url,
        tuple(found for name in RENDITIONS if (found := text(file.get(name)))),
    )


def byte_count(value: object) -> int:
    """A size; 0 for an unknown one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_SIZE else 0


def _state(file: Mapping[str, Any], url: str, mimetype: str) -> FileState:
    if text(file.get("mode")) in {"tombstone", "hidden_by_limit"}:
        return FileState.GONE
    # While Slack still processes an upload, its type is empty and there is no rendition.
    if file.get("file_access") == "check_file_info" or not url or not mimetype:
        return FileState.STUB
    return FileState.READY
