"""What every payload has in one place or another: who, where, and for whom we are acting."""

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
# Commands and interactivity give these in place of a name that not everybody may learn.
_OF_NAME = {"privategroup": ChannelKind.PRIVATE, "directmessage": ChannelKind.DIRECT}
_OF_LETTER = {"C": ChannelKind.PUBLIC, "G": ChannelKind.PRIVATE, "D": ChannelKind.DIRECT, "": ChannelKind.DIRECT}

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""JSON may escape halves of characters, and PostgreSQL takes no NUL."""


def mapping(value: object) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> Sequence[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """A text, or an empty one; what no database or network can carry is replaced."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list, each once, in their order."""
    return tuple(dict.fromkeys(text(one) for one in items(value) if text(one)))


def authorization(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Under which of our installations an event was delivered."""
    return mapping(next(iter(items(body.get("authorizations"))), None))


def workspace_of(body: Mapping[str, Any]) -> WorkspaceId:
    """Whose data this is about; empty if it isn't said."""
    view = mapping(body.get("view"))
    # In a channel shared between workspaces, team_id may be the other side's; the authorisation is ours, and so is
    # the workspace that a view's app is installed in. For an app of a whole organisation, team is null.
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
    """The organisation that the workspace belongs to; empty for none."""
    ours = authorization(body)
    if "enterprise_id" in ours:
        # Null, too, is an answer: the body's may be the other side's of a shared channel.
        return text(ours["enterprise_id"])
    return (
        text(body.get("enterprise_id"))
        or text(mapping(body.get("enterprise")).get("id"))
        or text(mapping(body.get("team")).get("enterprise_id"))
    )


def is_for_organisation(body: Mapping[str, Any]) -> bool:
    """Whether the app was installed for a whole organisation."""
    ours = authorization(body)
    flag = ours.get("is_enterprise_install") if ours else body.get("is_enterprise_install")
    return flag is True or flag == "true"


def kind_of(channel: str, *, channel_type: str = "", name: str = "", is_shared: bool = False) -> ChannelKind:
    """Who can read a conversation, as far as the payload says.

    By its letter alone, a channel counts as public, although newer private ones have the same: whoever stores
    that has to ask Slack. What has another letter counts as private.
    """
    if is_shared:
        return ChannelKind.SHARED
    if name.startswith("mpdm-"):
        return ChannelKind.DIRECT
    return (
        _OF_TYPE.get(channel_type) or _OF_NAME.get(name) or _OF_LETTER.get(channel[:1].upper()) or ChannelKind.PRIVATE
    )
