"""The OAuth scopes of the app: which are needed, which are optional, and what is off without each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from handlers.slack_errors import UNREACHABLE

NEEDED: Mapping[str, str] = {
    "app_mentions:read": "mentions with pictures",
    "channels:history": "pictures in public channels, and their deletions",
    "channels:read": "who may see pictures of a channel",
    "chat:write": "answers",
    "commands": "/vsearch and the shortcuts",
    "files:read": "reading shared pictures",
    "files:write": "pictures in answers without a public address",
    "users:read": "who is an admin or a guest",
}
"""Scopes without which the bot is of no use, with what each is for."""

OPTIONAL: Mapping[str, str] = {
    "groups:history": "pictures in private channels",
    "groups:read": "pictures of a private channel, outside of it",
    "im:history": "pictures sent to the bot directly",
    "im:read": "pictures sent to the bot directly, in other places",
    "links:read": "previews of links to the pages of ids",
    "links:write": "previews of links to the pages of ids",
    "mpim:history": "pictures in group direct messages",
    "mpim:read": "pictures of a group direct message, outside of it",
    "reactions:write": "reactions to collected and known pictures",
    "usergroups:read": "user groups in the rules of guard channels",
}
"""Scopes that people may refuse when they install the app, with what is off then."""

SCOPES = tuple(sorted({*NEEDED, *OPTIONAL}))
"""The scopes of manifest.yml. A test compares the two."""

_HEADER = "x-oauth-scopes"


def granted_scopes(answer: AsyncSlackResponse) -> frozenset[str] | None:
    """Return the scopes of the token that a call was made with; None if the answer doesn't say."""
    headers = {str(name).lower(): value for name, value in answer.headers.items()}
    value = headers.get(_HEADER)
    return None if value is None else frozenset(filter(None, map(str.strip, str(value).split(","))))


def missing(granted: Iterable[str] | None, among: Mapping[str, str]) -> dict[str, str]:
    """Return the scopes that were not granted, with what each is for; none if it is unknown what was granted."""
    if granted is None:
        return {}
    known = frozenset(granted)
    return {scope: purpose for scope, purpose in among.items() if scope not in known}


async def turned_off(client: AsyncWebClient) -> dict[str, str]:
    """Return what is off in a workspace, by the optional scope that it didn't grant; none if Slack doesn't say."""
    try:
        return missing(granted_scopes(await client.auth_test()), OPTIONAL)
    except UNREACHABLE:
        return {}
