"""Argument handling of all Web API methods: required arguments, lookups and refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web

from tests.fakes.slack.state import State
from tests.fakes.slack.values import Channel, Json, Message, Token

Method = Callable[[Json, Token], Awaitable[Json]]
Item = TypeVar("Item")

OPTIONAL_JSON = ("blocks", "attachments", "metadata", "view", "files")
PAGE = 100


class Refused(Exception):
    """Answers the call with ``ok: false`` and this error."""


class WebApiMethods:
    """A group of Web API methods on the shared state."""

    def __init__(self, state: State) -> None:
        self.state = state

    def require(self, args: Json, *names: str) -> None:
        """Check that these arguments are present. Raises Refused."""
        if missing := [name for name in names if not args.get(name)]:
            raise self.fault("invalid_arguments", f"missing {', '.join(missing)}")

    def require_team(self, args: Json, token: Token) -> None:
        """Check that a call with an organisation's token names the workspace. Raises Refused."""
        if token.workspace.org_install and not args.get("team_id"):
            raise self.fault("missing_argument", "team_id is required with a token of an organisation")

    def fault(self, error: str, what: str) -> Refused:
        """Return a refusal that is the app's fault, and record it as a failure."""
        self.state.fail(f"{error}: {what}")
        return Refused(error)

    def visible(self, args: Json, token: Token, name: str = "channel") -> Channel:
        """Return a conversation that the bot can see. Raises Refused."""
        identifier = str(args.get(name) or "")
        channel = self.state.channels.get(identifier)
        if channel is None and identifier in self.state.people and name == "channel":
            channel = self.state.direct(identifier, token.workspace)
        if channel is None:
            raise Refused("channel_not_found")
        if not {channel.workspace, *channel.guests} & set(token.workspaces):
            raise self.fault("channel_not_found", f"{channel.id} is another workspace's")
        if channel.is_closed and not channel.bot_is_member:
            raise Refused("channel_not_found")
        return channel

    def joined(self, args: Json, token: Token) -> Channel:
        """Return a conversation that the bot is a member of. Raises Refused."""
        channel = self.visible(args, token)
        if not channel.bot_is_member:
            raise Refused("not_in_channel")
        return channel

    def message(self, channel: Channel, ts: object) -> Message:
        """Return a message that everybody in a conversation can see. Raises Refused."""
        found = self.state.find(channel.id, str(ts or ""))
        if found is None or found.to:
            raise Refused("message_not_found")
        return found


def paged(items: list[Item], args: Json) -> tuple[list[Item], Json]:
    """Return a page of a listing, and the response metadata with the next cursor."""
    limit = int(args.get("limit") or PAGE)
    cursor = str(args.get("cursor") or "")
    start = int(base64.b64decode(cursor).decode()) if cursor else 0
    more = start + limit < len(items)
    following = base64.b64encode(str(start + limit).encode()).decode() if more else ""
    return items[start : start + limit], {"has_more": more, "response_metadata": {"next_cursor": following}}


def is_true(value: object) -> bool:
    """Return a flag in any form that the SDK sends."""
    return str(value).lower() in {"true", "1"}


async def merged_arguments(request: web.Request) -> Json:
    """Merge query, form and JSON, since the SDK sends some arguments of a POST in the query string."""
    args: Json = dict(request.query)
    if request.content_type == "application/json":
        args |= await request.json()
    elif request.can_read_body:
        args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    for name in OPTIONAL_JSON:
        if isinstance(args.get(name), str):
            args[name] = json.loads(args[name])
    return args
