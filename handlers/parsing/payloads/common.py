"""Read fields that all payloads share: workspace, organisation, and kind of channel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId

_OF_TYPE = {
    "channel": ChannelKind.PUBLIC,
    "group": ChannelKind.PRIVATE,
    "im": ChannelKind.DIRECT,
    "mpim": ChannelKind.DIRECT,
    "app_home": ChannelKind.DIRECT,
}
# Commands and interactions give these instead of the name of a private channel.
_OF_NAME = {"privategroup": ChannelKind.PRIVATE, "directmessage": ChannelKind.DIRECT}
_OF_LETTER = {"C": ChannelKind.PUBLIC, "G": ChannelKind.PRIVATE, "D": ChannelKind.DIRECT, "": ChannelKind.DIRECT}

_END_OF_TIME = 1e11
"""Seconds since 1970. Python's dates end later."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""Lone surrogates, which JSON can escape, and NUL, which PostgreSQL refuses."""


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one for any other value."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """Return a JSON array, or an empty one for any other value."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return a string, or an empty one for any other value. Replace characters that can't be stored or sent."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """Return the distinct non-empty strings of an array, in order."""
    return tuple(dict.fromkeys(text(one) for one in items(value) if text(one)))


def time_of(value: object) -> float:
    """Return a time in seconds since 1970, or 0 for any other value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < _END_OF_TIME else 0.0  # type: ignore[operator, arg-type]


def authorization(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the installation of the app for which an event was delivered."""
    return mapping(next(iter(items(body.get("authorizations"))), None))


def workspace_of(body: Mapping[str, Any]) -> WorkspaceId:
    """Return the workspace whose data the payload is about, or an empty id."""
    view = mapping(body.get("view"))
    # In a channel shared between workspaces, team_id may be that of the other workspace. The authorisation, and the
    # workspace in which a view's app is installed, are always ours. For an app of a whole organisation, team is null.
    candidates = (
        view.get("app_installed_team_id"),
        mapping(body.get("team")).get("id"),
        authorization(body).get("team_id"),
        body.get("context_team_id"),
        body.get("team_id"),
        mapping(body.get("user")).get("team_id"),
        view.get("team_id"),
    )
    return WorkspaceId(next((found for value in candidates if (found := text(value))), ""))


def enterprise_of(body: Mapping[str, Any]) -> str:
    """Return the id of the workspace's organisation, or an empty string."""
    installation = authorization(body)
    if "enterprise_id" in installation:
        # Use it even if it is null: the body's may be that of the other workspace in a shared channel.
        return text(installation["enterprise_id"])
    return (
        text(body.get("enterprise_id"))
        or text(mapping(body.get("enterprise")).get("id"))
        or text(mapping(body.get("team")).get("enterprise_id"))
    )


def is_for_organisation(body: Mapping[str, Any]) -> bool:
    """Return whether the app is installed in a whole organisation."""
    installation = authorization(body)
    flag = installation.get("is_enterprise_install") if installation else body.get("is_enterprise_install")
    return flag is True or flag == "true"


def kind_of(channel: str, *, channel_type: str = "", name: str = "", is_shared: bool = False) -> ChannelKind:
    """Return who can read a conversation, as far as the payload tells.

    A channel id that begins with C counts as public, although newer private channels also begin with C. Ask Slack
    before storing the result. An unknown first letter counts as private.
    """
    if is_shared:
        return ChannelKind.SHARED
    if name.startswith("mpdm-"):
        return ChannelKind.DIRECT
    return (
        _OF_TYPE.get(channel_type) or _OF_NAME.get(name) or _OF_LETTER.get(channel[:1].upper()) or ChannelKind.PRIVATE
    )
