"""Events that take something away: a file, a message, the app itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.common import enterprise_of, is_for_organisation, mapping, text, texts, workspace_of


@dataclass(frozen=True, slots=True)
class SlackDeletion:
    """A ``file`` was deleted, or the ``message`` of a ``channel``: one of the two, the other is empty."""

    workspace: WorkspaceId
    enterprise: str
    event_id: str
    file: str = ""
    channel: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Uninstall:
    """The app was removed from ``workspaces``; there are none if it was from the whole organisation.

    ``workspace`` is the first of them, or empty.
    """

    workspace: WorkspaceId
    enterprise: str
    event_id: str
    workspaces: tuple[WorkspaceId, ...]


def parse_deletion(body: Mapping[str, Any]) -> SlackDeletion | None:
    """Something was deleted from which images may have been made."""
    event = mapping(body.get("event"))
    workspace, enterprise, event_id = workspace_of(body), enterprise_of(body), text(body.get("event_id"))
    if not workspace:
        return None
    if event.get("type") == "file_deleted":
        file = text(event.get("file_id"))
        return SlackDeletion(workspace, enterprise, event_id, file=file) if file else None
    channel, message = text(event.get("channel")), _deleted_message(event)
    return (
        SlackDeletion(workspace, enterprise, event_id, channel=channel, message=message)
        if channel and message
        else None
    )


def _deleted_message(event: Mapping[str, Any]) -> str:
    if event.get("type") != "message":
        return ""
    before, after = mapping(event.get("previous_message")), mapping(event.get("message"))
    if event.get("subtype") == "message_deleted":
        return text(event.get("deleted_ts")) or text(before.get("ts"))
    # A message that has replies, such as our answer, is not deleted: it is changed into a tombstone.
    if event.get("subtype") == "message_changed" and after.get("subtype") == "tombstone":
        return text(after.get("ts")) or text(before.get("ts"))
    return ""


def parse_uninstall(body: Mapping[str, Any]) -> Uninstall | None:
    """The app was removed, or its token revoked, which comes to the same."""
    event = mapping(body.get("event"))
    enterprise, event_id = enterprise_of(body), text(body.get("event_id"))
    match event.get("type"):
        case "team_access_revoked":
            # An organisation withdrew the app from some of its workspaces. Slack's own example nests the event.
            nested = mapping(event.get("event"))
            named = texts(event.get("team_ids")) or texts(nested.get("team_ids"))
            gone = tuple(WorkspaceId(one) for one in named)
            return Uninstall(gone[0], enterprise, event_id, gone) if gone else None
        case "app_uninstalled":
            return _from_one(body)
        case "tokens_revoked" if texts(mapping(event.get("tokens")).get("bot")):
            # Tokens of persons (oauth) are revoked when somebody leaves; only the bot's is ours.
            return _from_one(body)
        case _:
            return None


def _from_one(body: Mapping[str, Any]) -> Uninstall | None:
    workspace, enterprise = workspace_of(body), enterprise_of(body)
    event_id = text(body.get("event_id"))
    if enterprise and (is_for_organisation(body) or workspace in {"", enterprise}):
        return Uninstall(WorkspaceId(""), enterprise, event_id, ())
    return Uninstall(workspace, enterprise, event_id, (workspace,)) if workspace else None
