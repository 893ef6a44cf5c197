"""What people type after ``/vsearch`` or beside a mention: text to typed values. Pure."""

from __future__ import annotations

from handlers.grammar.commands import (
    AddCommand,
    Command,
    CreateDatabase,
    DeleteDatabase,
    DeleteEntity,
    HelpCommand,
    ImageReference,
    ListDatabases,
    ListImages,
    OpenForm,
    SearchCommand,
    StatusCommand,
    UnwatchCommand,
    WatchCommand,
)
from handlers.grammar.mentions import Modifiers, mention_command, modifiers_of
from handlers.grammar.parsing import VERBS, parse
from handlers.grammar.values import MAX_TOP
from handlers.grammar.words import MODIFIERS, unescape

__all__ = [
    "MAX_TOP",
    "MODIFIERS",
    "VERBS",
    "AddCommand",
    "Command",
    "CreateDatabase",
    "DeleteDatabase",
    "DeleteEntity",
    "HelpCommand",
    "ImageReference",
    "ListDatabases",
    "ListImages",
    "Modifiers",
    "OpenForm",
    "SearchCommand",
    "StatusCommand",
    "UnwatchCommand",
    "WatchCommand",
    "mention_command",
    "modifiers_of",
    "parse",
    "unescape",
]
