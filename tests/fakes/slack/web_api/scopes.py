"""The scope that each method needs, depending on the conversation."""

from __future__ import annotations

from tests.fakes.slack.state import State
from tests.fakes.slack.values import Json, Workspace

FIXED = {
    "assistant.threads.setStatus": "chat:write",
    "chat.postMessage": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.unfurl": "links:write",
    "conversations.open": "im:write",
    "files.info": "files:read",
    "files.delete": "files:write",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "reactions.add": "reactions:write",
    "reactions.remove": "reactions:write",
    "users.info": "users:read",
    "users.conversations": "channels:read",
    "users.list": "users:read",
    "usergroups.list": "usergroups:read",
    "usergroups.users.list": "usergroups:read",
}
BY_CONVERSATION = {
    "conversations.info": "read",
    "conversations.members": "read",
    "conversations.history": "history",
    "conversations.replies": "history",
}
FAMILIES = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}


def needed(state: State, method: str, args: Json) -> str:
    """Return the scope of a call, or an empty string."""
    if method in BY_CONVERSATION:
        channel = state.channels.get(str(args.get("channel")))
        family = FAMILIES[channel.type] if channel else "channels"
        return f"{family}:{BY_CONVERSATION[method]}"
    return FIXED.get(method, "")


def missing(state: State, workspace: Workspace, method: str, args: Json) -> str:
    """Return the needed scope if the workspace did not grant it, or an empty string."""
    scope = needed(state, method, args)
    return scope if scope and workspace.scopes is not None and scope not in workspace.scopes else ""


def used(state: State) -> frozenset[str]:
    """Return every scope that the calls so far needed."""
    return frozenset(scope for call in state.calls if (scope := needed(state, call.method, call.args)))
