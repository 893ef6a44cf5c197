"""Parse interactions: button presses, shortcuts and modal submissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import time_of_message
from handlers.parsing.payloads.common import enterprise_of, items, kind_of, mapping, text, texts, workspace_of
from handlers.parsing.payloads.files import SharedFile, parse_file
from handlers.parsing.payloads.pictures import pictures_of


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """A pressed button or a choice in a message or view.

    ``channel`` is empty for a view, ``view_id`` for a message. ``user_workspace`` is the user's workspace, which may be
    another one in a shared channel. ``action_id`` lacks the suffix that tells apart equal buttons of one message;
    ``is_page``: there was one, so the button changes a page. ``pressed_at``: in seconds since 1970, or 0.
    """

    workspace: WorkspaceId
    enterprise: str
    user: str
    user_workspace: WorkspaceId
    channel: str
    channel_kind: ChannelKind
    message_ts: str
    thread_ts: str
    is_ephemeral: bool
    action_id: str
    value: str
    trigger_id: str
    response_url: str
    view_id: str
    view_hash: str
    view_metadata: str
    view_type: str
    selected: str
    is_page: bool = False
    pressed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ShortcutRequest:
    """A message shortcut with the pictures of the message, or a global one with an empty ``channel``."""

    workspace: WorkspaceId
    enterprise: str
    user: str
    callback_id: str
    channel: str
    channel_kind: ChannelKind
    message_ts: str
    thread_ts: str
    author: str
    author_is_bot: bool
    text: str
    files: tuple[SharedFile, ...]
    trigger_id: str
    response_url: str


@dataclass(frozen=True, slots=True)
class FormValues:
    """The values of a modal by field. Empty fields are present with an empty value."""

    files: tuple[SharedFile, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Submission:
    """A submitted modal.

    ``response_urls`` has pairs of a channel chosen in the modal and the URL to answer there, ``inputs`` the ids of the
    fields in their order.
    """

    workspace: WorkspaceId
    enterprise: str
    user: str
    callback_id: str
    view_id: str
    view_hash: str
    metadata: str
    form: FormValues
    response_urls: tuple[tuple[str, str], ...]
    inputs: tuple[str, ...] = ()


def parse_action(body: Mapping[str, Any]) -> ActionRequest | None:
    """Parse the first action of a payload. Slack sends only one."""
    action = mapping(next(iter(items(body.get("actions"))), None))
    action_id, _, suffix = text(action.get("action_id")).partition(":")
    workspace, user = workspace_of(body), mapping(body.get("user"))
    if body.get("type") != "block_actions" or not (workspace and text(user.get("id")) and action_id):
        return None
    container, message, view = mapping(body.get("container")), mapping(body.get("message")), mapping(body.get("view"))
    channel, kind = _place(body)
    return ActionRequest(
        workspace=workspace,
        enterprise=enterprise_of(body),
        user=text(user.get("id")),
        user_workspace=WorkspaceId(text(user.get("team_id"))),
        channel=channel,
        channel_kind=kind,
        # For an ephemeral message, Slack sends only the container.
        message_ts=text(container.get("message_ts")) or text(message.get("ts")),
        thread_ts=text(container.get("thread_ts")) or text(message.get("thread_ts")),
        is_ephemeral=container.get("is_ephemeral") is True,
        action_id=action_id,
        value=text(action.get("value")),
        trigger_id=text(body.get("trigger_id")),
        response_url=text(body.get("response_url")),
        view_id=text(view.get("id")) or text(container.get("view_id")),
        view_hash=text(view.get("hash")),
        view_metadata=text(view.get("private_metadata")),
        view_type=text(view.get("type")),
        selected=next(iter(_chosen(action)), ""),
        is_page=bool(suffix),
        pressed_at=time_of_message(text(action.get("action_ts"))),
    )


def parse_shortcut(body: Mapping[str, Any]) -> ShortcutRequest | None:
    """Parse a message shortcut or a global shortcut."""
    workspace, user = workspace_of(body), text(mapping(body.get("user")).get("id"))
    callback_id, payload_type = text(body.get("callback_id")), text(body.get("type"))
    if payload_type not in {"message_action", "shortcut"} or not (workspace and user and callback_id):
        return None
    on_message = payload_type == "message_action"
    message = mapping(body.get("message")) if on_message else {}
    channel, kind = _place(body if on_message else {})
    message_ts = text(message.get("ts")) or (text(body.get("message_ts")) if on_message else "")
    if on_message and not (channel and message_ts):
        return None
    return ShortcutRequest(
        workspace=workspace,
        enterprise=enterprise_of(body),
        user=user,
        callback_id=callback_id,
        channel=channel,
        channel_kind=kind,
        message_ts=message_ts,
        thread_ts=text(message.get("thread_ts")),
        author=text(message.get("user")),
        author_is_bot=bool(
            message.get("bot_id") or message.get("bot_profile") or message.get("subtype") == "bot_message"
        ),
        text=text(message.get("text")),
        files=pictures_of(message),
        trigger_id=text(body.get("trigger_id")),
        response_url=text(body.get("response_url")),
    )


def parse_submission(body: Mapping[str, Any]) -> Submission | None:
    """Parse a modal submission."""
    view = mapping(body.get("view"))
    workspace, user = workspace_of(body), text(mapping(body.get("user")).get("id"))
    callback_id = text(view.get("callback_id"))
    if body.get("type") != "view_submission" or not (workspace and user and callback_id):
        return None
    return Submission(
        workspace=workspace,
        enterprise=enterprise_of(body),
        user=user,
        callback_id=callback_id,
        view_id=text(view.get("id")),
        view_hash=text(view.get("hash")),
        metadata=text(view.get("private_metadata")),
        form=parse_form(mapping(view.get("state")).get("values")),
        response_urls=tuple(_response_urls(body)),
        inputs=texts(
            [block.get("block_id") for block in map(mapping, items(view.get("blocks"))) if block.get("type") == "input"]
        ),
    )


def parse_form(values: object) -> FormValues:
    """Parse a view's ``state.values``."""
    # Don't use slack_sdk's View, which raises TypeError for a file_input.
    files: dict[str, SharedFile] = {}
    text_values: dict[str, str] = {}
    choices: dict[str, tuple[str, ...]] = {}
    for block_id, elements in mapping(values).items():
        element = _element(block_id, mapping(elements))
        element_type = text(element.get("type"))
        if element_type == "file_input":
            # Keep files that aren't images, so that validation can report them at the field.
            found = (file for item in items(element.get("files")) if (file := parse_file(item)))
            files |= {file.id: file for file in found}
        elif element_type.endswith("_input"):
            text_values[block_id] = text(element.get("value"))
        elif element_type:
            choices[block_id] = _chosen(element)
    return FormValues(tuple(files.values()), text_values, choices)


def _element(block_id: str, elements: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a block's only element. In our modals it has the block's name."""
    return mapping(elements.get(block_id) or next(iter(elements.values()), None))


def _chosen(element: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values selected in any kind of select element."""
    options = [element.get("selected_option"), *items(element.get("selected_options"))]
    values = [text(mapping(option).get("value")) for option in options]
    for thing in ("conversation", "channel", "user"):
        values.append(text(element.get(f"selected_{thing}")))
        values.extend(texts(element.get(f"selected_{thing}s")))
    return texts(values)


def _place(body: Mapping[str, Any]) -> tuple[str, ChannelKind]:
    """Return the channel and who can read it. A view is read by one user."""
    channel = mapping(body.get("channel"))
    identifier = text(channel.get("id")) or text(mapping(body.get("container")).get("channel_id"))
    return identifier, kind_of(identifier, name=text(channel.get("name")))


def _response_urls(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    listed = [mapping(item) for item in items(body.get("response_urls"))]
    found = [(text(item.get("channel_id")), text(item.get("response_url"))) for item in listed]
    return [(channel, url) for channel, url in found if channel and url]
