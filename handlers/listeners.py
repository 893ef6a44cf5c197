"""The listeners, in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.actions import ActionListener
from handlers.commands import CommandListener
from handlers.home import HomeListener
from handlers.mentions import MentionListener
from handlers.shortcuts import ShortcutListener
from handlers.views import ViewListener


@dataclass(frozen=True, slots=True)
class Listeners:
    """Everything that people's doings start."""

    commands: CommandListener
    mentions: MentionListener
    actions: ActionListener
    views: ViewListener
    shortcuts: ShortcutListener
    home: HomeListener
