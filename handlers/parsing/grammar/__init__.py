"""The command grammar: parse the text after ``/vsearch`` or a mention into typed commands."""

from __future__ import annotations

from handlers.parsing.grammar.captions import Caption, parse_caption
from handlers.parsing.grammar.commands import (
    AddCommand,
    Command,
    CreateDatabase,
    DeleteDatabase,
    DeleteEntity,
    ExportCommand,
    FindCommand,
    HelpCommand,
    ImageReference,
    ImportHistory,
    LinkDatabase,
    ListDatabases,
    ListImages,
    OpenForm,
    RenameEntity,
    ReportCommand,
    SearchCommand,
    SetEditors,
    SetNote,
    StatusCommand,
    UnwatchCommand,
    WatchCommand,
)
from handlers.parsing.grammar.corrections import corrected
from handlers.parsing.grammar.mentions import Modifiers, mention_command, modifiers_of
from handlers.parsing.grammar.parser import VERBS, is_command, is_prose, is_question, parse
from handlers.parsing.grammar.tokens import MODIFIERS, quoted, unescape
from handlers.parsing.grammar.values import MAX_TOP
from handlers.parsing.grammar.workspace_verbs import NO_LINK

__all__ = [
    "MAX_TOP",
    "MODIFIERS",
    "NO_LINK",
    "VERBS",
    "AddCommand",
    "Caption",
    "Command",
    "CreateDatabase",
    "DeleteDatabase",
    "DeleteEntity",
    "ExportCommand",
    "FindCommand",
    "HelpCommand",
    "ImageReference",
    "ImportHistory",
    "LinkDatabase",
    "ListDatabases",
    "ListImages",
    "Modifiers",
    "OpenForm",
    "RenameEntity",
    "ReportCommand",
    "SearchCommand",
    "SetEditors",
    "SetNote",
    "StatusCommand",
    "UnwatchCommand",
    "WatchCommand",
    "corrected",
    "is_command",
    "is_prose",
    "is_question",
    "mention_command",
    "modifiers_of",
    "parse",
    "parse_caption",
    "quoted",
    "unescape",
]
