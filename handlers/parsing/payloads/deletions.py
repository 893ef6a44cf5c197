"""Parse events that delete files or messages, or uninstall the app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import time_of_message
from handlers.parsing.payloads.common import (
    enterprise_of,
    is_for_organisation,
    items,
    mapping,
    text,
    texts,
    time_of,
    workspace_of,
)
from handlers.parsing.payloads.pictures import forwarded_files


@dataclass(frozen=True, slots=True)
class SlackDeletion:
    """What was deleted in Slack: a ``file``, a ``message`` in a ``channel``, or a whole ``channel``.

    The other fields are empty. With ``unshared``, the ``file`` exists, but was taken out of a message, which was in the
    ``channel`` if that is known. ``event_time`` is when the unsharing happened, in seconds since 1970; 0 if Slack
    didn't say.
    """

    workspace: WorkspaceId
    enterprise: str
    event_id: str
    file: str = ""
    channel: str = ""
    message: str = ""
    unshared: bool = False
    event_time: float = 0.0


@dataclass(frozen=True, slots=True)
class Uninstall:
    """The app was uninstalled from ``workspaces``, or from the whole organisation if there are none.

    ``workspace`` is the first of them, or empty. ``event_time`` is when it happened, in seconds since 1970; 0 if Slack
    didn't say.
    """

    workspace: WorkspaceId
    enterprise: str
    event_id: str
    workspaces: tuple[WorkspaceId, ...]
    event_time: float = 0.0


def parse_deletion(body: Mapping[str, Any]) -> SlackDeletion | None:
    """Parse the deletion or unsharing of what images may have come from. Return None for other events."""
    event = mapping(body.get("event"))
    workspace, enterprise, event_id = workspace_of(body), enterprise_of(body), text(body.get("event_id"))
    if not workspace:
        return None
    channel = text(event.get("channel"))
    match event.get("type"):
        case "file_deleted":
            file = text(event.get("file_id"))
            return SlackDeletion(workspace, enterprise, event_id, file=file) if file else None
        case "file_unshared":
            file = text(event.get("file_id")) or text(mapping(event.get("file")).get("id"))
            # Slack's examples leave the channel out.
            channel = text(event.get("channel_id"))
            found = SlackDeletion(workspace, enterprise, event_id, file=file, channel=channel, unshared=True)
            return replace(found, event_time=_moment_of(body)) if file else None
        case "channel_deleted" | "group_deleted":
            return SlackDeletion(workspace, enterprise, event_id, channel=channel) if channel else None
    message = _deleted_message(event)
    return (
        SlackDeletion(workspace, enterprise, event_id, channel=channel, message=message)
        if channel and message
        else None
    )


def _moment_of(body: Mapping[str, Any]) -> float:
    """Return when an event happened, in seconds since 1970, or 0 if Slack didn't say."""
    whole_second = time_of(body.get("event_time"))
    return time_of_message(text(mapping(body.get("event")).get("event_ts"))) or (whole_second and whole_second + 1)


def _deleted_message(event: Mapping[str, Any]) -> str:
    if event.get("type") != "message":
        return ""
    before, after = mapping(event.get("previous_message")), mapping(event.get("message"))
    if event.get("subtype") == "message_deleted":
        return text(event.get("deleted_ts")) or text(before.get("ts"))
    # Slack doesn't delete a message that has replies, such as the bot's answer, but changes it into a tombstone.
    if event.get("subtype") != "message_changed":
        return ""
    # Slack sends no event of its own if a forwarded message is taken out of the one that forwarded it.
    is_emptied = bool(forwarded_files(before)) and not (forwarded_files(after) or items(after.get("files")))
    if after.get("subtype") == "tombstone" or is_emptied:
        return text(after.get("ts")) or text(before.get("ts"))
    return ""


def parse_uninstall(body: Mapping[str, Any]) -> Uninstall | None:
    """Parse an uninstall or the revocation of the bot's token, which has the same effect."""
    event = mapping(body.get("event"))
    enterprise, event_id = enterprise_of(body), text(body.get("event_id"))
    match event.get("type"):
        case "team_access_revoked":
            # An organisation removed the app from some of its workspaces. Slack's own example nests the event.
            nested = mapping(event.get("event"))
            team_ids = texts(event.get("team_ids")) or texts(nested.get("team_ids"))
            workspaces = tuple(WorkspaceId(one) for one in team_ids)
            happened = time_of(body.get("event_time"))
            return Uninstall(workspaces[0], enterprise, event_id, workspaces, happened) if workspaces else None
        case "app_uninstalled":
            return _uninstall_from_one(body)
        case "tokens_revoked" if texts(mapping(event.get("tokens")).get("bot")):
            # Slack revokes user tokens (oauth) when somebody leaves. The app uses only the bot token.
            return _uninstall_from_one(body)
        case _:
            return None


def _uninstall_from_one(body: Mapping[str, Any]) -> Uninstall | None:
    workspace, enterprise = workspace_of(body), enterprise_of(body)
    event_id, happened = text(body.get("event_id")), time_of(body.get("event_time"))
    if enterprise and (is_for_organisation(body) or workspace in {"", enterprise}):
        return Uninstall(WorkspaceId(""), enterprise, event_id, (), happened)
    return Uninstall(workspace, enterprise, event_id, (workspace,), happened) if workspace else None
