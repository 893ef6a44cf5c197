"""Parse the arguments of commands about images: search, find, add, list, delete, rename and note."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.blocks.wording import commands as wording
from bot.domain.errors import InvalidInput
from bot.domain.find_words import terms_of
from bot.domain.identifiers import Note
from bot.domain.pages import Order
from bot.services.search.search import DEFAULT_LIMIT, DEFAULT_MINIMUM
from handlers.parsing.grammar import values
from handlers.parsing.grammar.arguments import ParsedCommand, is_word, modifiers_by_name, refuse_extra, unknown_word
from handlers.parsing.grammar.commands import (
    FOUND_PER_PAGE,
    AddCommand,
    DeleteEntity,
    FindCommand,
    ImageReference,
    ListImages,
    RenameEntity,
    SearchCommand,
    SetNote,
)
from handlers.parsing.grammar.edits import split_note, split_operands
from handlers.parsing.grammar.forms import closest, looks_like_url, usage_of
from handlers.parsing.grammar.tokens import MODIFIERS, Token, quote_back


def parse_search(parsed: ParsedCommand) -> SearchCommand:
    """Parse the arguments of ``search`` and ``last``. Raises InvalidInput."""
    given = modifiers_by_name("search", parsed)
    return SearchCommand(
        _source("search", parsed),
        values.database_or_all(given["in"]) if "in" in given else None,
        values.top(given["top"]) if "top" in given else DEFAULT_LIMIT,
        values.minimum(given["min"]) if "min" in given else DEFAULT_MINIMUM,
    )


def parse_find(parsed: ParsedCommand) -> FindCommand | SearchCommand:
    """Parse the arguments of ``find``. Raises InvalidInput."""
    parsed = _with_hosts_as_words(parsed)
    if parsed.addresses and not parsed.words:
        # Until images could be found by words, this was another name of “search”.
        return parse_search(parsed)
    given = modifiers_by_name("find", replace(parsed, modifiers=tuple(_modifiers(parsed))))
    words = [_sought(token) for token in parsed.tokens if _is_sought(token)]
    if not words:
        raise InvalidInput(wording.which_words(usage_of("find")))
    terms_of(" ".join(words))
    return FindCommand(
        " ".join(words),
        values.database_or_all(given["in"]) if "in" in given else None,
        values.top(given["top"]) if "top" in given else FOUND_PER_PAGE,
    )


def _with_hosts_as_words(parsed: ParsedCommand) -> ParsedCommand:
    """Return the same with words in place of the links that Slack made of words such as ``part.de``."""
    tokens = tuple(replace(one, text=one.host, is_address=False) if one.host else one for one in parsed.tokens)
    words = tuple(token.text for token in tokens if is_word(token))
    addresses = tuple(token.text for token in tokens if token.is_address)
    return replace(parsed, words=words, addresses=addresses, tokens=tokens)


def _is_sought(token: Token) -> bool:
    """Return whether a token of ``find`` is a word: plain, in quotes, or what only looks like a modifier."""
    return token.is_operand or token.name not in MODIFIERS


def _sought(token: Token) -> str:
    if token.is_quoted_word:
        return token.written
    return f"{token.name} {token.text}" if token.name else token.text


def _modifiers(parsed: ParsedCommand) -> Iterator[tuple[str, str]]:
    return ((token.name, values.as_written(token)) for token in parsed.tokens if not _is_sought(token))


def parse_add(parsed: ParsedCommand) -> AddCommand:
    """Parse the arguments of ``add``. Raises InvalidInput."""
    given = modifiers_by_name("add", parsed)
    return AddCommand(
        _source("add", parsed),
        values.database(given["in"]) if "in" in given else None,
        values.new_entity(given["id"]) if "id" in given else None,
        values.note(given["note"]) if "note" in given else Note(),
    )


def _source(verb: str, parsed: ParsedCommand) -> ImageReference:
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
        return InvalidInput(unknown_word(word, f"/vsearch {verb} last"), (word, "last"))
    note = f" {wording.QUOTED_NOTE}" if verb == "add" else ""
    return InvalidInput(wording.not_an_image(quote_back(word), usage_of(verb)) + note)


def parse_list(parsed: ParsedCommand) -> ListImages:
    """Parse the arguments of ``list``. Raises InvalidInput."""
    given = modifiers_by_name("list", parsed)
    if parsed.words and not parsed.addresses and "in" not in given:
        named = " ".join(parsed.words)
        name = values.database(named)
        raise InvalidInput(wording.did_you_mean(f"/vsearch list in:{name}"), (named, f"in:{name}"))
    refuse_extra("list", parsed)
    return ListImages(
        values.database(given["in"]) if "in" in given else None,
        values.prefix(given["prefix"]) if "prefix" in given else "",
        values.order(given["order"]) if "order" in given else Order.NEWEST_FIRST,
    )


def parse_delete(parsed: ParsedCommand) -> DeleteEntity:
    """Parse the arguments of ``delete``. Raises InvalidInput."""
    given = modifiers_by_name("delete", parsed)
    if len(parsed.words) > 1 and parsed.words[0].lower() in {"db", "database"}:
        name = values.database(" ".join(parsed.words[1:]))
        meant = f"db delete {name}"
        raise InvalidInput(wording.did_you_mean(f"/vsearch {meant}"), (" ".join(("delete", *parsed.words)), meant))
    named = [values.entity(given["id"])] if "id" in given else []
    named += [values.entity_of_words([*filter(is_word, parsed.tokens)])] if parsed.words else []
    refuse_extra("delete", replace(parsed, words=()))
    if len(named) != 1:
        sentence = wording.one_entity if named else wording.which_entity
        raise InvalidInput(sentence(usage_of("delete")))
    return DeleteEntity(named[0], values.database(given["in"]) if "in" in given else None)


def parse_rename(parsed: ParsedCommand) -> RenameEntity:
    """Parse the arguments of ``rename``. Raises InvalidInput."""
    operands, others = split_operands(parsed.tokens)
    given = modifiers_by_name("rename", replace(parsed, modifiers=others))
    if operands is None:
        raise InvalidInput(wording.which_ids(usage_of("rename")))
    old, new = map(values.entity_of_words, operands)
    return RenameEntity(old, new, values.database(given["in"]) if "in" in given else None)


def parse_note(parsed: ParsedCommand) -> SetNote:
    """Parse the arguments of ``note``. Raises InvalidInput."""
    operands, others = split_note(parsed.tokens)
    given = modifiers_by_name("note", replace(parsed, modifiers=others))
    if operands is None:
        raise InvalidInput(wording.which_note(usage_of("note")))
    named, text = operands
    return SetNote(
        values.entity_of_words(named),
        values.note(text),
        values.database(given["in"]) if "in" in given else None,
    )
