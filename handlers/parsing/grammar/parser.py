"""Parse ``/vsearch`` commands. An invalid command raises one sentence with the right form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.blocks.wording import commands as wording
from bot.domain.channels import ChannelMode
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import Note
from bot.domain.pages import Order
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM
from handlers.parsing.grammar import values
from handlers.parsing.grammar.commands import (
    AddCommand,
    Command,
    CreateDatabase,
    DeleteDatabase,
    DeleteEntity,
    ExportCommand,
    HelpCommand,
    ImageReference,
    ListDatabases,
    ListImages,
    OpenForm,
    RenameEntity,
    SearchCommand,
    SetNote,
    StatusCommand,
    UnwatchCommand,
    WatchCommand,
)
from handlers.parsing.grammar.edits import split_note, split_operands
from handlers.parsing.grammar.forms import USAGES, closest, looks_like_url, modifier_refused, usage_of
from handlers.parsing.grammar.tokens import Token, quote_back, tokenise

_COMMAND = Token("/vsearch")
"""First token if somebody copied a whole command from the help text."""

_MODES = (ChannelMode.LOOKUP, ChannelMode.COLLECT, ChannelMode.GUARD)

_VERB_SYNONYMS = {
    "find": "search",
    "remove": "delete",
    "database": "db",
    "databases": "db",
    "?": "help",
    # Greetings in direct messages and mentions.
    "hello": "help",
    "hi": "help",
    "hey": "help",
    "thanks": "help",
}
"""Alternative names of verbs."""

_SUGGESTIONS = {
    "create": "db create",
    "new": "db create",
    "lookup": "watch lookup",
    "collect": "watch collect",
    "guard": "watch guard",
    "mute": "unwatch",
    "stop": "unwatch",
    "show": "list",
    "settings": "status",
    "download": "export",
    "backup": "export",
    "move": "rename",
    "merge": "rename",
    "edit": "rename",
}
"""Words that people write instead of a verb, and the verb to suggest."""


@dataclass(frozen=True, slots=True)
class _ParsedCommand:
    """The tokens of a command without its verb."""

    words: tuple[str, ...]
    addresses: tuple[str, ...]
    modifiers: tuple[tuple[str, str], ...]
    tokens: tuple[Token, ...] = ()
    """All of them in order, for ids that are in quotes."""


def parse(text: str) -> Command:
    """Parse a command. Raises InvalidInput with the right form for a command that is almost right."""
    tokens = tokenise(text)
    if tokens and tokens[0] == _COMMAND:
        tokens = tokens[1:]
    if not tokens:
        return OpenForm()
    words = tuple(token.text for token in tokens if _is_word(token))
    verb = words[0].lower() if words else "search"
    verb = _VERB_SYNONYMS.get(verb.rstrip("!?.,") or verb, verb)
    if verb == "help":
        return HelpCommand()
    _refuse_malformed(tokens)
    parsed = _ParsedCommand(
        words if verb == "last" else words[1:],
        tuple(token.text for token in tokens if token.is_address),
        tuple((token.name, values.as_written(token)) for token in tokens if token.name),
        tokens if verb == "last" else _without_verb(tokens),
    )
    if parse_verb := _VERBS.get(verb):
        return parse_verb(parsed)
    raise _unknown_verb(words[0])


def _without_verb(tokens: Sequence[Token]) -> tuple[Token, ...]:
    verb = next((place for place, token in enumerate(tokens) if _is_word(token)), len(tokens))
    return (*tokens[:verb], *tokens[verb + 1 :])


def _is_word(token: Token) -> bool:
    return not token.name and not token.is_address


def _refuse_malformed(tokens: Iterable[Token]) -> None:
    for token in tokens:
        if token.is_unclosed:
            raise InvalidInput(wording.UNCLOSED_QUOTE)
        if _is_word(token) and not token.is_quoted and "://" in token.text:
            raise InvalidInput(wording.URL_INVALID)


def _unknown_verb(word: str) -> InvalidInput:
    verb = word.lower()
    if looks_like_url(verb):
        return InvalidInput(wording.scheme_missing(quote_back(word)), (word, f"https://{word}"))
    known = _SUGGESTIONS.get(verb) or closest(verb, (*_VERBS, "help", *_VERB_SYNONYMS, *_MODES))
    meant = _SUGGESTIONS.get(known, _VERB_SYNONYMS.get(known, known))
    sentence = wording.unknown_verb(quote_back(word), f"/vsearch {meant}" if meant else "")
    return InvalidInput(sentence, (word, meant) if meant else None)


def _search(parsed: _ParsedCommand) -> SearchCommand:
    given = _modifiers("search", parsed)
    return SearchCommand(
        _source("search", parsed),
        values.database(given["in"]) if "in" in given else None,
        values.top(given["top"]) if "top" in given else DEFAULT_LIMIT,
        values.minimum(given["min"]) if "min" in given else DEFAULT_MINIMUM,
    )


def _add(parsed: _ParsedCommand) -> AddCommand:
    given = _modifiers("add", parsed)
    return AddCommand(
        _source("add", parsed),
        values.database(given["in"]) if "in" in given else None,
        values.entity(given["id"]) if "id" in given else None,
        values.note(given["note"]) if "note" in given else Note(),
    )


def _source(verb: str, parsed: _ParsedCommand) -> ImageReference:
    for word in parsed.words:
        if word.lower() != "last":
            raise _invalid_source(verb, word)
    found = [ImageReference(address) for address in parsed.addresses] + [ImageReference(last=True)] * len(parsed.words)
    if len(found) != 1:
        sentence = wording.one_image if found else wording.which_image
        raise InvalidInput(sentence(verb, usage_of(verb)))
    return found[0]


def _invalid_source(verb: str, word: str) -> InvalidInput:
    if looks_like_url(word):
        return InvalidInput(wording.scheme_missing(quote_back(word)), (word, f"https://{word}"))
    if closest(word.lower(), ("last", "latest", "newest")):
        return InvalidInput(_unknown(word, f"/vsearch {verb} last"), (word, "last"))
    note = f" {wording.QUOTED_NOTE}" if verb == "add" else ""
    return InvalidInput(wording.not_an_image(quote_back(word), usage_of(verb)) + note)


def _list(parsed: _ParsedCommand) -> ListImages:
    given = _modifiers("list", parsed)
    if parsed.words and not parsed.addresses and "in" not in given:
        named = " ".join(parsed.words)
        name = values.database(named)
        raise InvalidInput(wording.did_you_mean(f"/vsearch list in:{name}"), (named, f"in:{name}"))
    _refuse_extra("list", parsed)
    return ListImages(
        values.database(given["in"]) if "in" in given else None,
        values.prefix(given["prefix"]) if "prefix" in given else "",
        values.order(given["order"]) if "order" in given else Order.NEWEST_FIRST,
    )


def _delete(parsed: _ParsedCommand) -> DeleteEntity:
    given = _modifiers("delete", parsed)
    if len(parsed.words) > 1 and parsed.words[0].lower() in {"db", "database"}:
        name = values.database(" ".join(parsed.words[1:]))
        meant = f"db delete {name}"
        raise InvalidInput(wording.did_you_mean(f"/vsearch {meant}"), (" ".join(("delete", *parsed.words)), meant))
    named = [values.entity(given["id"])] if "id" in given else []
    named += [values.entity_of_words([*filter(_is_word, parsed.tokens)])] if parsed.words else []
    _refuse_extra("delete", replace(parsed, words=()))
    if len(named) != 1:
        sentence = wording.one_entity if named else wording.which_entity
        raise InvalidInput(sentence(usage_of("delete")))
    return DeleteEntity(named[0], values.database(given["in"]) if "in" in given else None)


def _rename(parsed: _ParsedCommand) -> RenameEntity:
    operands, others = split_operands(parsed.tokens)
    given = _modifiers("rename", replace(parsed, modifiers=others))
    if operands is None:
        raise InvalidInput(wording.which_ids(usage_of("rename")))
    old, new = map(values.entity_of_words, operands)
    return RenameEntity(old, new, values.database(given["in"]) if "in" in given else None)


def _note(parsed: _ParsedCommand) -> SetNote:
    operands, others = split_note(parsed.tokens)
    given = _modifiers("note", replace(parsed, modifiers=others))
    if operands is None:
        raise InvalidInput(wording.which_note(usage_of("note")))
    named, text = operands
    return SetNote(
        values.entity_of_words(named),
        values.note(text),
        values.database(given["in"]) if "in" in given else None,
    )


def _export(parsed: _ParsedCommand) -> ExportCommand:
    given = _modifiers("export", parsed)
    _refuse_extra("export", parsed)
    return ExportCommand(values.database(given["in"]) if "in" in given else None)


def _db(parsed: _ParsedCommand) -> ListDatabases | CreateDatabase | DeleteDatabase:
    action = parsed.words[0].lower() if parsed.words else "list"
    action = {"new": "create", "remove": "delete"}.get(action, action)
    rest = replace(parsed, words=parsed.words[1:])
    if action == "list":
        _modifiers("db", rest)
        _refuse_extra("db", rest)
        return ListDatabases()
    if action not in {"create", "delete"}:
        raise _unknown_action(parsed.words)
    verb = f"db {action}"
    _modifiers(verb, rest)
    if not rest.words:
        raise InvalidInput(wording.which_database(action, usage_of(verb)))
    _refuse_extra(verb, replace(rest, words=()))
    name = values.database(" ".join(rest.words))
    return CreateDatabase(name) if action == "create" else DeleteDatabase(name)


def _unknown_action(words: Sequence[str]) -> InvalidInput:
    known = closest(words[0].lower(), ("create", "delete", "remove", "list"))
    meant = {"remove": "delete"}.get(known, known)
    if not meant:
        return InvalidInput(wording.unknown_database_action(quote_back(words[0])))
    usage = wording.USAGE.get(f"db {meant}", wording.USAGE["db"])
    return InvalidInput(_unknown(f"db {words[0]}", usage), (words[0], meant))


def _watch(parsed: _ParsedCommand) -> WatchCommand:
    given = _modifiers("watch", parsed)
    word = parsed.words[0].lower() if parsed.words else ""
    if word and word not in _MODES:
        raise _unknown_mode(word)
    _refuse_extra("watch", replace(parsed, words=parsed.words[1:]))
    if word == ChannelMode.COLLECT and "min" in given:
        raise InvalidInput(wording.COLLECT_TAKES_NO_MINIMUM)
    return WatchCommand(
        ChannelMode(word) if word else None,
        values.database(given["in"]) if "in" in given else None,
        values.minimum(given["min"]) if "min" in given else None,
    )


def _unknown_mode(word: str) -> InvalidInput:
    if word in {ChannelMode.OFF, "none", "nothing", "stop"}:
        return InvalidInput(wording.did_you_mean("/vsearch unwatch"), (f"watch {word}", "unwatch"))
    if mode := closest(word, _MODES):
        return InvalidInput(_unknown(word, f"/vsearch watch {mode}"), (word, mode))
    return InvalidInput(wording.unknown_mode(quote_back(word), _MODES, usage_of("watch")))


def _unknown(word: str, suggestion: str = "") -> str:
    sentence = wording.unknown(quote_back(word))
    return f"{sentence} {wording.did_you_mean(suggestion)}" if suggestion else sentence


def _unwatch(parsed: _ParsedCommand) -> UnwatchCommand:
    _modifiers("unwatch", parsed)
    _refuse_extra("unwatch", parsed)
    return UnwatchCommand()


def _status(parsed: _ParsedCommand) -> StatusCommand:
    _modifiers("status", parsed)
    _refuse_extra("status", parsed)
    return StatusCommand()


_VERBS: Mapping[str, Callable[[_ParsedCommand], Command]] = {
    "search": _search,
    "last": _search,
    "add": _add,
    "list": _list,
    "delete": _delete,
    "rename": _rename,
    "note": _note,
    "export": _export,
    "db": _db,
    "watch": _watch,
    "unwatch": _unwatch,
    "status": _status,
}
VERBS = (*_VERBS, "help")


def _modifiers(verb: str, parsed: _ParsedCommand) -> dict[str, str]:
    """Return the modifiers by name. Raises InvalidInput for a repeated modifier or one that the verb doesn't take."""
    given: dict[str, str] = {}
    for name, value in parsed.modifiers:
        if name not in USAGES[verb].modifiers:
            raise InvalidInput(modifier_refused(verb, name))
        if name in given:
            raise InvalidInput(wording.modifier_twice(name))
        given[name] = value
    return given


def _refuse_extra(verb: str, parsed: _ParsedCommand) -> None:
    for word in (*parsed.words, *parsed.addresses):
        raise InvalidInput(wording.too_much(verb, quote_back(word), usage_of(verb)))
