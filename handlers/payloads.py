"""Slack's payloads to typed requests. Pure, and tolerant: what does not fit is None, never an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.models import WorkspaceId

RENDITIONS = ("thumb_1024", "thumb_960", "thumb_720")
"""Slack's own smaller copies, largest first; those above the original's size are absent."""

_UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/binary"})


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


@dataclass(frozen=True, slots=True)
class ImageShare:
    """A person's message with files that may be images."""

    workspace: WorkspaceId
    channel: str
    user: str
    ts: str
    thread_ts: str
    event_id: str
    files: tuple[SharedFile, ...]

    @property
    def reply_to(self) -> str:
        """The thread that an answer belongs in."""
        return self.thread_ts or self.ts


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A slash command as it was typed."""

    workspace: WorkspaceId
    channel: str
    user: str
    text: str


def parse_share(body: Mapping[str, Any]) -> ImageShare | None:
    """A share of files by a person; None for every other message, edits and bots' own included."""
    event = _mapping(body.get("event"))
    if event.get("type") != "message" or event.get("subtype") != "file_share":
        return None
    if event.get("bot_id") or event.get("bot_profile") or event.get("hidden"):
        return None
    channel, ts, user = _text(event.get("channel")), _text(event.get("ts")), _text(event.get("user"))
    listed = event.get("files")
    files = [parse_file(item) for item in listed] if isinstance(listed, list) else []
    wanted = tuple(file for file in files if file is not None and file.may_be_image)
    workspace = _workspace(body)
    if not (workspace and channel and ts and user and wanted):
        return None
    return ImageShare(
        WorkspaceId(workspace),
        channel,
        user,
        ts,
        _text(event.get("thread_ts")),
        _text(body.get("event_id")),
        wanted,
    )


def parse_file(raw: object) -> SharedFile | None:
    """A file object, of a message or of files.info; None if it has no id."""
    file = _mapping(raw)
    identifier = _text(file.get("id"))
    if not identifier:
        return None
    url = _text(file.get("url_private"))
    mimetype = _text(file.get("mimetype")).lower()
    size = file.get("size")
    return SharedFile(
        identifier,
        _state(file, url, mimetype),
        _text(file.get("title")) or _text(file.get("name")),
        mimetype,
        size if isinstance(size, int) and size > 0 else 0,
        url,
        tuple(text for name in RENDITIONS if (text := _text(file.get(name)))),
    )


def _state(file: Mapping[str, Any], url: str, mimetype: str) -> FileState:
    if _text(file.get("mode")) in {"tombstone", "hidden_by_limit"}:
        return FileState.GONE
    # While Slack still processes an upload, its type is empty and there is no rendition.
    if file.get("file_access") == "check_file_info" or not url or not mimetype:
        return FileState.STUB
    return FileState.READY


def parse_command(body: Mapping[str, Any]) -> CommandRequest | None:
    """A slash command; None if it does not say who asks from where."""
    workspace, channel, user = _workspace(body), _text(body.get("channel_id")), _text(body.get("user_id"))
    if not (workspace and channel and user):
        return None
    return CommandRequest(WorkspaceId(workspace), channel, user, _text(body.get("text")))


def _workspace(body: Mapping[str, Any]) -> str:
    # In a channel shared between workspaces, team_id may be the other side's; the authorisation is ours.
    listed = body.get("authorizations")
    first = _mapping(listed[0]) if isinstance(listed, list) and listed else {}
    return _text(first.get("team_id")) or _text(body.get("team_id"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
