"""``/vsearch``, verb by verb: text to a typed command, or one sentence that says how to write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.conversations import Mode
from bot.errors import InvalidInput
from bot.models import Note, Order
from bot.services.search import DEFAULT_LIMIT, DEFAULT_MINIMUM
from handlers.grammar import values
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
from handlers.grammar.forms import FORMS, form, is_like_an_address, listed, near, not_taken
from handlers.grammar.words import UNCLOSED, Piece, quote, take_apart

_COMMAND = Piece("/vsearch")
"""Stands in front where a whole command was copied from the help text."""

_MODES = (Mode.LOOKUP, Mode.COLLECT, Mode.GUARD)

_SAME = {
    "find": "search",
    "remove": "delete",
    "database": "db",
    "databases": "db",
    "?": "help",
    # Said to the bot directly, or with a mention.
    "hello": "help",
    "hi": "help",
    "hey": "help",
    "thanks": "help",
}
"""Verbs that mean another."""

_MEANT = {
    "create": "db create",
    "new": "db create",
    "lookup": "watch lookup",
    "collect": "watch collect",
    "guard": "watch guard",
    "mute": "unwatch",
    "stop": "unwatch",
    "show": "list",
    "settings": "status",
}
"""Words that are no verbs, and what whoever types them is after."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A command taken apart, its verb put aside."""

    words: tuple[str, ...]
    addresses: tuple[str, ...]
    modifiers: tuple[tuple[str, str], ...]


def parse(text: str) -> Command:
    """Understand a command. Raises InvalidInput with the right form for one that is nearly right."""
    pieces = take_apart(text)
    if pieces and pieces[0] == _COMMAND:
        pieces = pieces[1:]
    if not pieces:
        return OpenForm()
    words = tuple(piece.text for piece in pieces if not piece.name and not piece.is_address)
    verb = words[0].lower() if words else "search"
    verb = _SAME.get(verb.rstrip("!?.,") or verb, verb)
    if verb == "help":
        return Help()
    _refuse_malformed(pieces)
    said = _Said(
        words if verb == "last" else words[1:],
        tuple(piece.text for piece in pieces if piece.is_address),
        tuple((piece.name, piece.text) for piece in pieces if piece.name),
    )
    if understand := _VERBS.get(verb):
        return understand(said)
    return Help(_unknown_verb(words[0]))


def _refuse_malformed(pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        if piece.is_unclosed:
            raise InvalidInput(UNCLOSED)
        if not piece.name and not piece.is_address and "://" in piece.text:
            raise InvalidInput("The address of an image begins with `https://` or `http://`: check it and try again.")


def _unknown_verb(word: str) -> str:
    verb = word.lower()
    if is_like_an_address(verb):
        return f"Did you mean an address? Put https:// before “{quote(word)}”."
    known = _MEANT.get(verb) or near(verb, (*_VERBS, "help", *_SAME, *_MODES))
    meant = _MEANT.get(known, _SAME.get(known, known))
    hint = f" Did you mean `/vsearch {meant}`?" if meant else ""
    return f"I don't know “{quote(word)}”.{hint}"


def _search(said: _Said) -> Search:
    given = _given("search", said)
    return Search(
        _source("search", said),
        values.database(given["in"]) if "in" in given else None,
        values.top(given["top"]) if "top" in given else DEFAULT_LIMIT,
        values.minimum(given["min"]) if "min" in given else DEFAULT_MINIMUM,
    )


def _add(said: _Said) -> Add:
    given = _given("add", said)
    return Add(
        _source("add", said),
        values.database(given["in"]) if "in" in given else None,
        values.entity(given["id"]) if "id" in given else None,
        values.note(given["note"]) if "note" in given else Note(),
    )


def _source(verb: str, said: _Said) -> Source:
    for word in said.words:
        if word.lower() != "last":
            raise InvalidInput(_not_a_source(verb, word))
    found = [Source(address) for address in said.addresses] + [Source(last=True)] * len(said.words)
    if len(found) != 1:
        much = "There is no image" if not found else "There is more than one image"
        raise InvalidInput(f"{much} to {'add' if verb == 'add' else 'look up'}. Write {form(verb)}.")
    return found[0]


def _not_a_source(verb: str, word: str) -> str:
    if is_like_an_address(word):
        return f"Did you mean an address? Put https:// before “{quote(word)}”."
    if near(word.lower(), ("last", "latest", "newest")):
        return f"I don't know “{quote(word)}”. Did you mean `/vsearch {verb} last`?"
    note = ' A note goes in quotes: `note:"spare valve"`.' if verb == "add" else ""
    return f"I don't know what “{quote(word)}” is. Write {form(verb)}.{note}"


def _list(said: _Said) -> ListImages:
    given = _given("list", said)
    if said.words and not said.addresses and "in" not in given:
        name = values.database(" ".join(said.words))
        raise InvalidInput(f"Did you mean `/vsearch list in:{name}`?")
    _refuse_more("list", said)
    return ListImages(
        values.database(given["in"]) if "in" in given else None,
        values.prefix(given["prefix"]) if "prefix" in given else "",
        values.order(given["order"]) if "order" in given else Order.NEWEST_FIRST,
    )


def _delete(said: _Said) -> DeleteEntity:
    given = _given("delete", said)
    if len(said.words) > 1 and said.words[0].lower() in {"db", "database"}:
        name = values.database(" ".join(said.words[1:]))
        raise InvalidInput(f"Did you mean `/vsearch db delete {name}`?")
    named = [given["id"]] if "id" in given else []
    named += [" ".join(said.words)] if said.words else []
    _refuse_more("delete", replace(said, words=()))
    if len(named) != 1:
        much = "Say which entity to delete" if not named else "Name one entity at a time"
        raise InvalidInput(f"{much}: {form('delete')}.")
    return DeleteEntity(values.entity(named[0]), values.database(given["in"]) if "in" in given else None)


def _db(said: _Said) -> ListDatabases | CreateDatabase | DeleteDatabase:
    action = said.words[0].lower() if said.words else "list"
    action = {"new": "create", "remove": "delete"}.get(action, action)
    rest = replace(said, words=said.words[1:])
    if action == "list":
        _given("db", rest)
        _refuse_more("db", rest)
        return ListDatabases()
    if action not in {"create", "delete"}:
        raise InvalidInput(_unknown_action(said.words))
    verb = f"db {action}"
    _given(verb, rest)
    if not rest.words:
        raise InvalidInput(f"Say the name of the database to {action}: {form(verb)}.")
    _refuse_more(verb, replace(rest, words=()))
    name = values.database(" ".join(rest.words))
    return CreateDatabase(name) if action == "create" else DeleteDatabase(name)


def _unknown_action(words: Sequence[str]) -> str:
    known = near(words[0].lower(), ("create", "delete", "remove", "list"))
    meant = {"remove": "delete"}.get(known, known)
    if not meant:
        return (
            f"I don't know “db {quote(words[0])}”."
            f" Write {form('db')} for a list, {form('db create')}, or {form('db delete')}."
        )
    usage = FORMS.get(f"db {meant}", FORMS["db"]).usage
    return f"I don't know “db {quote(words[0])}”. Did you mean `{usage}`?"


def _watch(said: _Said) -> Watch:
    given = _given("watch", said)
    word = said.words[0].lower() if said.words else ""
    if word and word not in _MODES:
        raise InvalidInput(_unknown_mode(word))
    _refuse_more("watch", replace(said, words=said.words[1:]))
    if word == Mode.COLLECT and "min" in given:
        raise InvalidInput("`watch collect` adds every image, so it takes no `min:`; `watch guard` does.")
    return Watch(
        Mode(word) if word else None,
        values.database(given["in"]) if "in" in given else None,
        values.minimum(given["min"]) if "min" in given else None,
    )


def _unknown_mode(word: str) -> str:
    if word in {Mode.OFF, "none", "nothing", "stop"}:
        return "Did you mean `/vsearch unwatch`?"
    if mode := near(word, _MODES):
        return f"I don't know “{quote(word)}”. Did you mean `/vsearch watch {mode}`?"
    modes = listed(f"`{mode}`" for mode in _MODES)
    return f"I don't know “{quote(word)}”: there are {modes}. Write {form('watch')}."


def _unwatch(said: _Said) -> Unwatch:
    _given("unwatch", said)
    _refuse_more("unwatch", said)
    return Unwatch()


def _status(said: _Said) -> Status:
    _given("status", said)
    _refuse_more("status", said)
    return Status()


_VERBS: Mapping[str, Callable[[_Said], Command]] = {
    "search": _search,
    "last": _search,
    "add": _add,
    "list": _list,
    "delete": _delete,
    "db": _db,
    "watch": _watch,
    "unwatch": _unwatch,
    "status": _status,
}
VERBS = (*_VERBS, "help")


def _given(verb: str, said: _Said) -> dict[str, str]:
    """The modifiers by name. Raises InvalidInput for one that the verb does not take, or that stands there twice."""
    given: dict[str, str] = {}
    for name, value in said.modifiers:
        if name not in FORMS[verb].takes:
            raise InvalidInput(not_taken(verb, name))
        if name in given:
            raise InvalidInput(f"`{name}:` is there twice: leave one of them out.")
        given[name] = value
    return given


def _refuse_more(verb: str, said: _Said) -> None:
    for word in (*said.words, *said.addresses):
        raise InvalidInput(f"“{quote(word)}” is more than `{verb}` takes. Write {form(verb)}.")
