"""What follows a command's verb, and the checks that every verb makes."""

from __future__ import annotations

from dataclasses import dataclass

from bot.blocks.wording import commands as wording
from bot.domain.errors import InvalidInput
from handlers.parsing.grammar.forms import USAGES, modifier_refused, usage_of
from handlers.parsing.grammar.tokens import Token, quote_back


@dataclass(frozen=True, slots=True)
class ParsedCommand:
    """The tokens of a command without its verb."""

    words: tuple[str, ...]
    addresses: tuple[str, ...]
    modifiers: tuple[tuple[str, str], ...]
    tokens: tuple[Token, ...] = ()
    """All of them in order, for ids that are in quotes."""


def is_word(token: Token) -> bool:
    """Return whether a token is a plain word, neither a modifier nor an address."""
    return not token.name and not token.is_address


def unknown_word(word: str, suggestion: str = "") -> str:
    """Return the sentence for a word that is not known, with a command to suggest."""
    sentence = wording.unknown(quote_back(word))
    return f"{sentence} {wording.did_you_mean(suggestion)}" if suggestion else sentence


def modifiers_by_name(verb: str, parsed: ParsedCommand) -> dict[str, str]:
    """Return the modifiers by name. Raises InvalidInput for a repeated modifier or one that the verb doesn't take."""
    given: dict[str, str] = {}
    for name, value in parsed.modifiers:
        if name not in USAGES[verb].modifiers:
            raise InvalidInput(modifier_refused(verb, name))
        if name in given:
            raise InvalidInput(wording.modifier_twice(name))
        given[name] = value
    return given


def refuse_extra(verb: str, parsed: ParsedCommand) -> None:
    """Raise InvalidInput for a word or an address that the verb has no use for."""
    for word in (*parsed.words, *parsed.addresses):
        raise InvalidInput(wording.too_much(verb, quote_back(word), usage_of(verb)))
