"""Parse file objects of messages and of files.info."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from handlers.parsing.payloads.common import items, mapping, text, texts
from handlers.parsing.payloads.renditions import is_previewed, renditions_of

_UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/binary"})
_MAX_SIZE = 2**53


class FileState(StrEnum):
    """Whether a file object has enough information to fetch the file."""

    READY = "ready"
    STUB = "stub"
    """A Slack Connect file (``check_file_info``) or one that Slack is still processing. Call files.info."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A picture of a message, as far as the payload describes it: a file in Slack, or a ``link`` to one elsewhere.

    ``renditions`` are the copies and previews that Slack offers, largest first; those of a link are further addresses.
    """

    id: str
    state: FileState
    name: str = ""
    mimetype: str = ""
    size: int = 0
    url: str = ""
    renditions: tuple[str, ...] = ()
    link: str = ""

    @property
    def claims_to_be_image(self) -> bool:
        """Whether the declared type is an image. People then expect an answer, even if it is an error."""
        return self.mimetype.startswith("image/")

    @property
    def may_be_image(self) -> bool:
        """Whether no other type is declared. The content decides later, because types and names are often wrong."""
        return self.claims_to_be_image or self.mimetype in _UNDECLARED

    @property
    def is_previewed(self) -> bool:
        """Whether Slack makes a preview of files of this type, perhaps some seconds after the upload."""
        return is_previewed(self.mimetype)

    @property
    def is_shown(self) -> bool:
        """Whether Slack shows a picture of the file as far as this object tells: itself, or a preview."""
        return self.may_be_image or bool(self.renditions)


def parse_file(raw: object) -> SharedFile | None:
    """Parse a file object. Return None if it has no id."""
    file = mapping(raw)
    identifier = text(file.get("id"))
    if not identifier:
        return None
    renditions = renditions_of(file)
    # The file itself is outside Slack, where the bot has no account.
    url = "" if file.get("is_external") is True and renditions else text(file.get("url_private"))
    mimetype = text(file.get("mimetype")).lower()
    return SharedFile(
        identifier,
        _state(file, bool(url or renditions), mimetype),
        text(file.get("title")) or text(file.get("name")),
        mimetype,
        byte_count(file.get("size")),
        url,
        renditions,
    )


@dataclass(frozen=True, slots=True)
class FileShares:
    """Where a file is shared: channels with message times, and the channels of which Slack names no message."""

    messages: frozenset[tuple[str, str]] = frozenset()
    channels: frozenset[str] = frozenset()


def parse_shares(raw: object) -> FileShares:
    """Parse where a file object says that it is shared."""
    file = mapping(raw)
    listed = [(channel, items(found)) for kind in mapping(file.get("shares")).values() for channel, found in _of(kind)]
    messages = {(channel, ts) for channel, found in listed for one in found if (ts := text(mapping(one).get("ts")))}
    channels = {channel for kind in ("channels", "groups", "ims") for channel in texts(file.get(kind))}
    return FileShares(frozenset(messages), frozenset(channels - {channel for channel, _ in messages}))


def _of(kind: object) -> Iterable[tuple[str, object]]:
    return mapping(kind).items()


def byte_count(value: object) -> int:
    """Return a size in bytes, or 0 if it is unknown."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MAX_SIZE else 0


def _state(file: Mapping[str, Any], has_address: bool, mimetype: str) -> FileState:
    if text(file.get("mode")) in {"tombstone", "hidden_by_limit"}:
        return FileState.GONE
    # While Slack processes an upload, its type is empty and it has no renditions.
    if file.get("file_access") == "check_file_info" or not has_address or not mimetype:
        return FileState.STUB
    return FileState.READY
