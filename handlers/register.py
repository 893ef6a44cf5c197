"""What the bot listens to, in one place; ``manifest.yml`` asks Slack for the same."""

from __future__ import annotations

import re

from slack_bolt.app.async_app import AsyncApp

from handlers.commands import CommandListener
from handlers.events import ShareListener
from handlers.guard import Guard

COMMAND = "/vsearch"
MESSAGE = "message"


def register(app: AsyncApp, guard: Guard, *, shares: ShareListener, commands: CommandListener) -> None:
    """Attach the listeners to a Bolt app."""
    app.command(COMMAND)(guard.wrap(commands.on_command))
    app.event(MESSAGE)(guard.wrap(shares.on_message))
    app.event(re.compile(".*"))(_ignore)


async def _ignore() -> None:
    """For events that an app may be subscribed to beyond our manifest: Slack repeats what nobody acknowledges."""
