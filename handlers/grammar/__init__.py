"""What people type after ``/vsearch`` or beside a mention: text to typed values. Pure."""

from __future__ import annotations

from handlers.grammar.commands import (
    Add,
    Command,
    CreateDatabase,
    DeleteDatabase,
    DeleteEntity,
    Help,
    ListDatabases,
    ListImages,
    OpenForm,
    Search,
    Source,
    Status,
    Unwatch,
    Watch,
)
from handlers.grammar.mentions import Modifiers, mention_command, modifiers_of
from handlers.grammar.parsing import VERBS, parse
from handlers.grammar.values import MOST_TOP
from handlers.grammar.words import MODIFIERS, unescape

__all__ = [
    "MODIFIERS",
    "MOST_TOP",
    "VERBS",
    "Add",
    "Command",
    "CreateDatabase",
    "DeleteDatabase",
    "DeleteEntity",
    "Help",
    "ListDatabases",
    "ListImages",
    "Modifiers",
    "OpenForm",
    "Search",
    "Source",
    "Status",
    "Unwatch",
    "Watch",
    "mention_command",
    "modifiers_of",
    "parse",
    "unescape",
]
