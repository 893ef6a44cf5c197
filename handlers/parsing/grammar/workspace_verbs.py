"""Parse the arguments of commands about databases and channels: db, export, watch, unwatch and status."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot.blocks.wording import commands as wording
from bot.blocks.wording.channels.rules import EDITORS_INVALID, RULES_NEED_GUARD
from bot.domain.channels import ChannelMode
from bot.domain.errors import InvalidInput
from bot.domain.links import validate_template
from handlers.parsing.grammar import values
from handlers.parsing.grammar.arguments import ParsedCommand, is_word, modifiers_by_name, refuse_extra, unknown_word
from handlers.parsing.grammar.commands import (
    CreateDatabase,
    DeleteDatabase,
    ExportCommand,
    ImportHistory,
    LinkDatabase,
    ListDatabases,
    ReportCommand,
    SetEditors,
    StatusCommand,
    UnwatchCommand,
    WatchCommand,
)
from handlers.parsing.grammar.forms import closest, usage_of
from handlers.parsing.grammar.tokens import quote_back
from handlers.parsing.watch_rules import EDITORS, QUIET, RULES, parse_editors, parse_rules

NO_LINK = "-"
"""Stands for the removal of a database's link."""

MODES = (ChannelMode.LOOKUP, ChannelMode.COLLECT, ChannelMode.GUARD)

HERE = ("here", "channel", "history")
"""Words that stand for the channel in which a command is typed."""

_ACTION_AND_NAME = 2
"""Words of ``db link <name>`` before the template."""


def parse_export(parsed: ParsedCommand) -> ExportCommand:
    """Parse the arguments of ``export``. Raises InvalidInput."""
    given = modifiers_by_name("export", parsed)
    refuse_extra("export", parsed)
    return ExportCommand(values.database(given["in"]) if "in" in given else None)


def parse_report(parsed: ParsedCommand) -> ReportCommand:
    """Parse the arguments of ``report``. Raises InvalidInput."""
    given = modifiers_by_name("report", parsed)
    as_csv = [word.lower() for word in parsed.words] == ["csv"]
    refuse_extra("report", replace(parsed, words=()) if as_csv else parsed)
    return ReportCommand(values.database(given["in"]) if "in" in given else None, as_csv)


def parse_db(parsed: ParsedCommand) -> ListDatabases | CreateDatabase | DeleteDatabase | LinkDatabase:
    """Parse the arguments of ``db``. Raises InvalidInput."""
    action = parsed.words[0].lower() if parsed.words else "list"
    action = {"new": "create", "remove": "delete", "url": "link"}.get(action, action)
    rest = replace(parsed, words=parsed.words[1:])
    if action == "list":
        modifiers_by_name("db", rest)
        refuse_extra("db", rest)
        return ListDatabases()
    if action == "link":
        return _parse_link(rest)
    if action not in {"create", "delete"}:
        raise _unknown_action(parsed.words)
    verb = f"db {action}"
    modifiers_by_name(verb, rest)
    if not rest.words:
        raise InvalidInput(wording.which_database(action, usage_of(verb)))
    refuse_extra(verb, replace(rest, words=()))
    name = values.database(" ".join(rest.words))
    return CreateDatabase(name) if action == "create" else DeleteDatabase(name)


def _parse_link(parsed: ParsedCommand) -> LinkDatabase:
    modifiers_by_name("db link", parsed)
    if not parsed.words:
        raise InvalidInput(wording.which_database("link", usage_of("db link")))
    # Slack writes a link around the part of the address that it takes for one, and leaves the rest as a word.
    name, address = values.database(parsed.words[0]), "".join(_address(parsed))
    if address.lower() in {"off", "none", NO_LINK}:
        return LinkDatabase(name, NO_LINK)
    return LinkDatabase(name, validate_template(address))


def _address(parsed: ParsedCommand) -> Iterator[str]:
    """Yield the parts of the template: what stands behind the name of the database."""
    words = 0
    for token in parsed.tokens:
        words += is_word(token)
        if token.is_address or words > _ACTION_AND_NAME:
            yield token.text


def _unknown_action(words: Sequence[str]) -> InvalidInput:
    known = closest(words[0].lower(), ("create", "delete", "remove", "list", "link"))
    meant = {"remove": "delete"}.get(known, known)
    if not meant:
        return InvalidInput(wording.unknown_database_action(quote_back(words[0])))
    usage = wording.USAGE.get(f"db {meant}", wording.USAGE["db"])
    return InvalidInput(unknown_word(f"db {words[0]}", usage), (words[0], meant))


def parse_watch(parsed: ParsedCommand) -> WatchCommand | SetEditors:
    """Parse the arguments of ``watch``. Raises InvalidInput."""
    given = modifiers_by_name("watch", parsed)
    # “quiet” is a rule whose value may be left out.
    words = [word for word in parsed.words if word.lower() != QUIET]
    word = words[0].lower() if words else ""
    if word and word not in MODES:
        raise _unknown_mode(word)
    refuse_extra("watch", replace(parsed, words=tuple(words[1:])))
    if word == ChannelMode.COLLECT and "min" in given:
        raise InvalidInput(wording.COLLECT_TAKES_NO_MINIMUM)
    as_sent = {token.name: token.raw or token.text for token in parsed.tokens if token.name}
    if EDITORS in given:
        if word or len(words) < len(parsed.words) or len(given) > 1:
            raise InvalidInput(EDITORS_INVALID)
        return SetEditors(parse_editors(as_sent[EDITORS]))
    rules = {name: as_sent[name] for name in RULES if name in given}
    if len(words) < len(parsed.words):
        rules.setdefault(QUIET, "")
    if rules and word not in {"", ChannelMode.GUARD}:
        raise InvalidInput(RULES_NEED_GUARD)
    return WatchCommand(
        ChannelMode(word) if word else None,
        values.database(given["in"]) if "in" in given else None,
        values.minimum(given["min"]) if "min" in given else None,
        parse_rules(rules),
    )


def _unknown_mode(word: str) -> InvalidInput:
    if word in {ChannelMode.OFF, "none", "nothing", "stop"}:
        return InvalidInput(wording.did_you_mean("/vsearch unwatch"), (f"watch {word}", "unwatch"))
    if mode := closest(word, MODES):
        return InvalidInput(unknown_word(word, f"/vsearch watch {mode}"), (word, mode))
    return InvalidInput(wording.unknown_mode(quote_back(word), MODES, usage_of("watch")))


def parse_unwatch(parsed: ParsedCommand) -> UnwatchCommand:
    """Parse the arguments of ``unwatch``. Raises InvalidInput."""
    modifiers_by_name("unwatch", parsed)
    refuse_extra("unwatch", parsed)
    return UnwatchCommand()


def parse_import(parsed: ParsedCommand) -> ImportHistory:
    """Parse the arguments of ``import``. Raises InvalidInput."""
    given = modifiers_by_name("import", parsed)
    if not parsed.words or parsed.words[0].lower() not in HERE:
        raise InvalidInput(wording.import_what(usage_of("import")))
    refuse_extra("import", replace(parsed, words=parsed.words[1:]))
    return ImportHistory(
        values.database(given["in"]) if "in" in given else None,
        values.since(given["since"]) if "since" in given else 0.0,
    )


def parse_status(parsed: ParsedCommand) -> StatusCommand:
    """Parse the arguments of ``status``. Raises InvalidInput."""
    modifiers_by_name("status", parsed)
    refuse_extra("status", parsed)
    return StatusCommand()
