"""Parse ``link_shared``: links to this bot in a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.common import items, mapping, text, texts, workspace_of

MAX_LINKS = 5
"""Links of one message that are shown. Slack shows as many of other sites."""

_POSTED = "conversations_history"


@dataclass(frozen=True, slots=True)
class SharedLinks:
    """Links in a message."""

    workspace: WorkspaceId
    channel: str
    kind: ChannelKind
    ts: str
    urls: tuple[str, ...]


def parse_links(body: Mapping[str, Any]) -> SharedLinks | None:
    """Return the links of a posted message; None for a draft, whose readers aren't known yet, and for other events.

    The event doesn't say who can read the conversation. It counts as one with outsiders until Slack is asked.
    """
    event = mapping(body.get("event"))
    workspace, channel, ts = workspace_of(body), text(event.get("channel")), text(event.get("message_ts"))
    if event.get("type") != "link_shared" or event.get("source", _POSTED) != _POSTED:
        return None
    urls = texts([mapping(link).get("url") for link in items(event.get("links"))])[:MAX_LINKS]
    if not (workspace and channel and ts and urls):
        return None
    return SharedLinks(workspace, channel, ChannelKind.SHARED, ts, urls)
