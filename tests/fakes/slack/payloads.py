"""Payloads and objects that Slack sends: messages, views, people, and their envelopes."""

from __future__ import annotations

import time

from tests.fakes.slack.state import State
from tests.fakes.slack.values import HostedFile, Json, Message, View, Workspace

TOKEN = "verification-token"


def with_identifiers(blocks: list[Json]) -> list[Json]:
    """Return blocks as Slack returns them, with a block_id and action_id everywhere."""
    named = []
    for location, given in enumerate(blocks):
        block = {"block_id": f"block{location}", **given}
        for key in ("accessory", "element"):
            if isinstance(block.get(key), dict):
                block[key] = _element(block[key], f"{location}")
        if block["type"] in {"actions", "context_actions"}:
            block["elements"] = [_element(e, f"{location}.{number}") for number, e in enumerate(block["elements"])]
        named.append(block)
    return named


def _element(element: Json, location: str) -> Json:
    return element if element["type"] == "image" else {"action_id": f"action{location}", **element}


def message_object(state: State, message: Message, *, with_metadata: bool = False) -> Json:
    """Return a message as in histories, shortcuts and actions."""
    workspace = state.workspace_of(message.channel)
    shown: Json = {"type": "message", "user": message.user, "ts": message.ts, "text": message.text}
    shown["team"] = workspace.team
    if message.user in state.bot_users:
        shown |= {"bot_id": workspace.bot_id, "app_id": state.app_id}
    if message.app:
        shown |= {"bot_id": f"B{message.app[1:]}", "app_id": message.app}
    if attachments := attachments_of(state, message):
        shown["attachments"] = attachments
    if message.blocks:
        shown["blocks"] = with_identifiers(list(message.blocks))
    if message.files:
        shown |= {"files": [file.shown for file in message.files], "upload": False}
    if message.edited:
        shown["edited"] = {"user": message.user, "ts": f"{int(time.time())}.000000"}
    if with_metadata and message.metadata:
        shown["metadata"] = message.metadata
    replies = [m for m in state.messages if m.channel == message.channel and m.thread_ts == message.ts and not m.to]
    replies = [m for m in replies if m.ts != message.ts]
    if replies:
        shown |= {"thread_ts": message.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
    elif message.thread_ts:
        shown["thread_ts"] = message.thread_ts
    return shown


def attachments_of(state: State, message: Message) -> list[Json]:
    """Return a message's attachments: the messages that it forwards, the previews of its links, an app's own."""
    forwarded = [_forwarded(state, one) for one in message.forwarded]
    return [{"id": number, **one} for number, one in enumerate([*forwarded, *message.attachments], start=1)]


def _forwarded(state: State, message: Message) -> Json:
    """Return a forwarded message. Its files are neither in ``files``, nor shared with the channel."""
    now = state.find(message.channel, message.ts) or message
    channel = state.channels[message.channel]
    path = f"archives/{channel.id}/p{message.ts.replace('.', '')}"
    shown: Json = {
        "ts": message.ts,
        "author_id": message.user,
        "author_name": state.person(message.user).name,
        "channel_id": message.channel,
        "channel_team": channel.workspace.team,
        "channel_name": channel.name,
        "is_msg_unfurl": True,
        "is_share": True,
        "from_url": f"https://{channel.workspace.domain}.slack.com/{path}",
        "text": message.text,
        "fallback": f"[{message.ts}] {message.text}",
        "color": "D0D0D0",
        "mrkdwn_in": ["text"],
        "footer": f"Posted in #{channel.name}",
    }
    inner = {"blocks": with_identifiers(list(message.blocks) or [_rich_text(message.text)])}
    shown["message_blocks"] = [
        {"team": channel.workspace.team, "channel": channel.id, "ts": message.ts, "message": inner}
    ]
    if now.files:
        shown["files"] = [file.shown for file in now.files]
    if inside := attachments_of(state, message):
        shown["attachments"] = inside
    return shown


def _rich_text(text: str) -> Json:
    words = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [words]}


def share_event(state: State, message: Message, files: list[HostedFile] | None = None) -> Json:
    """Return the ``file_share`` event of a message with files."""
    event: Json = {
        "type": "message",
        "subtype": "file_share",
        "text": message.text,
        "user": message.user,
        "channel": message.channel,
        "channel_type": state.channels[message.channel].type,
        "ts": message.ts,
        "event_ts": message.ts,
        "files": [file.stub or file.info for file in (message.files if files is None else files)],
        "upload": False,
        "display_as_bot": False,
    }
    if message.user in state.bot_users:
        event["bot_id"] = state.workspace_of(message.channel).bot_id
    if message.thread_ts:
        event["thread_ts"] = message.thread_ts
    return event


def event_body(state: State, workspace: Workspace, event: Json) -> Json:
    """Return an event in its envelope."""
    channel = state.channels.get(str(event.get("channel")))
    is_shared = channel is not None and channel.kind == "shared"
    authorization = {
        "enterprise_id": workspace.enterprise or None,
        "team_id": None if workspace.org_install else workspace.team,
        "user_id": workspace.bot_user,
        "is_bot": True,
        "is_enterprise_install": workspace.org_install,
    }
    body: Json = {
        "token": TOKEN,
        "team_id": workspace.team,
        "api_app_id": state.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{state.number():06d}",
        "event_time": int(time.time()),
        "authorizations": [authorization],
        "is_ext_shared_channel": is_shared,
        "context_team_id": workspace.team,
        "context_enterprise_id": workspace.enterprise or None,
    }
    if workspace.enterprise:
        body["enterprise_id"] = workspace.enterprise
    return body


def command_body(state: State, channel: str, user: str, name: str, text: str) -> Json:
    """Return a slash command."""
    workspace = state.workspace_of(channel)
    body: Json = {
        "token": TOKEN,
        "team_id": workspace.team,
        "team_domain": workspace.domain,
        "channel_id": channel,
        "channel_name": state.channels[channel].shown_name,
        "user_id": user,
        "user_name": state.person(user).name,
        "command": name,
        "text": text,
        "api_app_id": state.app_id,
        "is_enterprise_install": str(workspace.org_install).lower(),
        "response_url": state.new_response_url(channel, user),
        "trigger_id": state.new_trigger(user, workspace, channel=channel),
    }
    if workspace.enterprise:
        body |= {"enterprise_id": workspace.enterprise, "enterprise_name": workspace.enterprise}
    return body


def interaction(state: State, kind: str, workspace: Workspace, user: str) -> Json:
    """Return the common part of all interactive payloads."""
    name = state.person(user).name
    team: Json = {"id": workspace.team, "domain": workspace.domain}
    organisation: Json | None = None
    if workspace.enterprise:
        organisation = {"id": workspace.enterprise, "name": workspace.enterprise}
        team |= {"enterprise_id": workspace.enterprise, "enterprise_name": workspace.enterprise}
    return {
        "type": kind,
        "token": TOKEN,
        "api_app_id": state.app_id,
        # With an organisation's installation, only the user object says which workspace it was.
        "team": None if workspace.org_install else team,
        "user": {"id": user, "username": name, "name": name, "team_id": workspace.team},
        "enterprise": organisation,
        "is_enterprise_install": workspace.org_install,
    }


def channel_object(state: State, channel: str) -> Json:
    """Return a conversation as in interactive payloads."""
    return {"id": channel, "name": state.channels[channel].shown_name}


def view_object(state: State, view: View, values: Json | None = None) -> Json:
    """Return a view as Slack sends it back."""
    body = view.body
    shown: Json = {
        "id": view.id,
        "team_id": view.workspace.team,
        "type": body["type"],
        "blocks": with_identifiers(view.blocks),
        "private_metadata": body.get("private_metadata", ""),
        "callback_id": body.get("callback_id", ""),
        "external_id": body.get("external_id", ""),
        "state": {"values": values or {}},
        "hash": view.hash,
        "title": body.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "submit": body.get("submit"),
        "close": body.get("close"),
        "clear_on_close": body.get("clear_on_close", False),
        "notify_on_close": body.get("notify_on_close", False),
        "previous_view_id": view.previous or None,
        "root_view_id": view.root or view.id,
        "app_id": state.app_id,
        "app_installed_team_id": view.workspace.team,
        "bot_id": view.workspace.bot_id,
    }
    return shown
