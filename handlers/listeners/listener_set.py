"""The set of all listeners."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.listeners.actions.listener import ActionListener
from handlers.listeners.app_home import HomeListener
from handlers.listeners.commands import CommandListener
from handlers.listeners.links import LinkListener
from handlers.listeners.mentions import MentionListener
from handlers.listeners.shortcuts import ShortcutListener
from handlers.listeners.views import ViewListener


@dataclass(frozen=True, slots=True)
class Listeners:
    """All listeners of the bot."""

    commands: CommandListener
    mentions: MentionListener
    actions: ActionListener
    views: ViewListener
    shortcuts: ShortcutListener
    home: HomeListener
    links: LinkListener
