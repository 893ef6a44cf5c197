"""Register all listeners with Bolt. ``manifest.yml`` subscribes to the same events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from handlers.errors import Listener, ListenerWrapper
from handlers.inbox.middleware import InboxMiddleware
from handlers.listeners.listener_set import Listeners

COMMAND = "/vsearch"
MESSAGE = "message"
MENTION = "app_mention"
HOME = "app_home_opened"
LINKS = "link_shared"

EVENTS = frozenset(
    {
        MENTION,
        HOME,
        LINKS,
        "app_uninstalled",
        "channel_deleted",
        "file_deleted",
        "file_unshared",
        "group_deleted",
        "team_access_revoked",
        "tokens_revoked",
    }
)
"""Subscribed events other than messages. Events without a listener below are handled by InboxMiddleware."""

_ANY = re.compile(".*", re.DOTALL)


def register(app: AsyncApp, wrapper: ListenerWrapper, inbox: InboxMiddleware, listeners: Listeners) -> None:
    """Add the middleware and all listeners to a Bolt app."""
    app.use(inbox.store)
    # Register this first: Bolt tries listeners in order, and most deliveries are messages, which the inbox handles.
    app.event(MESSAGE)(_ignore)
    app.command(COMMAND)(wrapper.wrap(listeners.commands.on_command))
    app.event(HOME)(wrapper.wrap(listeners.home.on_opened))
    app.event(LINKS)(wrapper.wrap(listeners.links.on_shared))
    app.event(_ANY)(_ignore)
    app.action(_ANY)(wrapper.wrap(listeners.actions.on_action))
    app.view_submission(_ANY)(wrapper.wrap(listeners.views.on_submission))
    app.shortcut(_ANY)(wrapper.wrap(listeners.shortcuts.on_shortcut))
    # Acknowledge everything else too. Otherwise Slack would deliver a closed modal again, and show an error for a
    # command with another name.
    _register_rest(app, _acknowledge)


async def _ignore() -> None:
    """Acknowledge an event without a listener; Slack would send it again."""


async def _acknowledge(ack: AsyncAck, body: Mapping[str, Any]) -> None:
    await ack(options=[]) if body.get("type") == "block_suggestion" else await ack()


def _register_rest(app: AsyncApp, listener: Listener) -> None:
    app.view_closed(_ANY)(listener)
    app.options(_ANY)(listener)
    app.command(_ANY)(listener)
