"""What the bot listens to, in one place; ``manifest.yml`` asks Slack for the same."""

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

EVENTS = frozenset({MENTION, HOME, "app_uninstalled", "tokens_revoked", "team_access_revoked", "file_deleted"})
"""Besides messages. Those that no listener here names are what the intake keeps."""

_ANY = re.compile(".*", re.DOTALL)


def register(app: AsyncApp, wrapper: ListenerWrapper, inbox: InboxMiddleware, listeners: Listeners) -> None:
    """Attach everything to a Bolt app."""
    app.use(inbox.store)
    # First, since Bolt asks each listener in turn, and most of what is delivered are messages, which the intake keeps.
    app.event(MESSAGE)(_ignore)
    app.command(COMMAND)(wrapper.wrap(listeners.commands.on_command))
    app.event(HOME)(wrapper.wrap(listeners.home.on_opened))
    app.event(_ANY)(_ignore)
    app.action(_ANY)(wrapper.wrap(listeners.actions.on_action))
    app.view_submission(_ANY)(wrapper.wrap(listeners.views.on_submission))
    app.shortcut(_ANY)(wrapper.wrap(listeners.shortcuts.on_shortcut))
    # What is left, such as a closed modal or a command of another name, is acknowledged too: Slack repeats the one
    # and shows an error for the other, and neither helps anybody.
    _rest(app, _acknowledge)


async def _ignore() -> None:
    """For events that an app may be subscribed to beyond our manifest: Slack repeats what nobody acknowledges."""


async def _acknowledge(ack: AsyncAck, body: Mapping[str, Any]) -> None:
    await ack(options=[]) if body.get("type") == "block_suggestion" else await ack()


def _rest(app: AsyncApp, listener: Listener) -> None:
    app.view_closed(_ANY)(listener)
    app.options(_ANY)(listener)
    app.command(_ANY)(listener)
