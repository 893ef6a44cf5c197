"""Encode requests as JSON for the inbox. Later versions of the bot must be able to decode them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from bot.domain.channels import ChannelKind
from bot.domain.errors import BotError
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.common import items, mapping, text, texts, time_of
from handlers.parsing.payloads.deletions import SlackDeletion, Uninstall
from handlers.parsing.payloads.events import ImageShare
from handlers.parsing.payloads.files import FileState, SharedFile, byte_count

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class UnreadablePayload(BotError):
    """A stored payload is incomplete, so its job can't be done. A newer version may be able to read it."""


def encode_share(share: ImageShare) -> str:
    """Encode as JSON for the inbox."""
    return _encode(share)


def decode_share(stored: str) -> ImageShare | None:
    """Decode a stored share. Return None if it is incomplete."""
    given = _decode(stored)
    files = tuple(file for item in items(given.get("files")) if (file := _file(mapping(item))))
    share = ImageShare(
        WorkspaceId(text(given.get("workspace"))),
        text(given.get("enterprise")),
        text(given.get("channel")),
        _kind(given.get("kind")),
        text(given.get("user")),
        text(given.get("ts")),
        text(given.get("thread_ts")),
        text(given.get("event_id")),
        text(given.get("text")),
        given.get("mentioned") is True,
        files,
        WorkspaceId(text(given.get("user_workspace"))),
    )
    return share if share.workspace and share.channel and share.user and share.ts and share.files else None


def encode_deletion(deletion: SlackDeletion) -> str:
    """Encode as JSON for the inbox."""
    return _encode(deletion)


def decode_deletion(stored: str) -> SlackDeletion | None:
    """Decode a stored event. Return None if it is incomplete."""
    given = _decode(stored)
    deletion = SlackDeletion(
        WorkspaceId(text(given.get("workspace"))),
        text(given.get("enterprise")),
        text(given.get("event_id")),
        text(given.get("file")),
        text(given.get("channel")),
        text(given.get("message")),
        unshared=given.get("unshared") is True,
        event_time=time_of(given.get("event_time")),
    )
    return deletion if deletion.workspace and (deletion.file or deletion.channel) else None


def encode_uninstall(uninstall: Uninstall) -> str:
    """Encode as JSON for the inbox."""
    return _encode(uninstall)


def decode_uninstall(stored: str) -> Uninstall | None:
    """Decode a stored event. Return None if it is incomplete."""
    given = _decode(stored)
    uninstall = Uninstall(
        WorkspaceId(text(given.get("workspace"))),
        text(given.get("enterprise")),
        text(given.get("event_id")),
        tuple(WorkspaceId(one) for one in texts(given.get("workspaces"))),
        time_of(given.get("event_time")),
    )
    # Without workspaces, all data of the organisation is removed. Accept that only if the list was stored as empty.
    is_whole_organisation = bool(uninstall.enterprise) and given.get("workspaces") == []
    return uninstall if uninstall.workspaces or is_whole_organisation else None


def encode_request(body: Mapping[str, Any]) -> str:
    """Encode a payload for the inbox, without Slack's deprecated verification token."""
    return json.dumps({name: value for name, value in body.items() if name != "token"}, separators=(",", ":"))


def decode_request(stored: str) -> Mapping[str, Any]:
    """Decode a stored payload. Return an empty mapping if it isn't a JSON object."""
    return _decode(stored)


def _encode(value: ImageShare | SlackDeletion | Uninstall) -> str:
    # json.dumps escapes non-ASCII characters, some of which databases refuse.
    return json.dumps(value, default=_fields, separators=(",", ":"))


def _fields(value: DataclassInstance) -> Mapping[str, Any]:
    # Slack is waiting for the acknowledgement, and dataclasses.asdict is several times slower because it copies.
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _decode(stored: str) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(stored))
    except (ValueError, RecursionError):
        return {}


def _file(given: Mapping[str, Any]) -> SharedFile | None:
    identifier, state = text(given.get("id")), text(given.get("state"))
    if not identifier or state not in {*FileState}:
        return None
    return SharedFile(
        identifier,
        FileState(state),
        text(given.get("name")),
        text(given.get("mimetype")),
        byte_count(given.get("size")),
        text(given.get("url")),
        tuple(one for one in items(given.get("renditions")) if isinstance(one, str)),
        text(given.get("link")),
    )


def _kind(value: object) -> ChannelKind:
    # Treat an unknown kind as private, which shows images to the fewest people.
    return ChannelKind(value) if isinstance(value, str) and value in {*ChannelKind} else ChannelKind.PRIVATE
