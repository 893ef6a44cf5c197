"""Parse slash commands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.common import enterprise_of, kind_of, text, workspace_of


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A slash command."""

    workspace: WorkspaceId
    enterprise: str
    channel: str
    kind: ChannelKind
    user: str
    text: str
    trigger_id: str
    response_url: str


def parse_command(body: Mapping[str, Any]) -> CommandRequest | None:
    """Parse a slash command. Return None if the workspace, channel or user is missing."""
    workspace, channel, user = workspace_of(body), text(body.get("channel_id")), text(body.get("user_id"))
    if not (workspace and channel and user):
        return None
    return CommandRequest(
        workspace,
        enterprise_of(body),
        channel,
        kind_of(channel, name=text(body.get("channel_name"))),
        user,
        text(body.get("text")),
        text(body.get("trigger_id")),
        text(body.get("response_url")),
    )
