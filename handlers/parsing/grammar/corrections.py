"""Correct a command that is almost right, so that a button can run what was meant."""

from __future__ import annotations

import re

from bot.blocks.limits import escape
from bot.domain.errors import EntityRefused, InvalidInput, UnknownEntity, UserError
from bot.domain.identifiers import entity_key
from handlers.parsing.grammar.parser import parse
from handlers.parsing.grammar.tokens import quoted, tokenise, visible

_NEEDS_NO_QUOTES = re.compile(r"\w+(?:[./-]+\w+)*")


def corrected(text: str, error: UserError) -> str:
    """Return the command with what was meant in place of what was written, or an empty string if nothing is known."""
    if error.correction is None:
        return ""
    written, meant = error.correction
    if isinstance(error, UnknownEntity | EntityRefused):
        return _with_entity(text, written, meant)
    found = _replace(_plain(text), written, meant)
    return found if _is_valid(found) else ""


def _with_entity(text: str, written: str, meant: str) -> str:
    """Return the command with another id, in quotes if it needs them."""
    text, key = _plain(text), entity_key(written)
    argument = meant if _NEEDS_NO_QUOTES.fullmatch(meant) else escape(quoted(meant))
    found = _replace(text, escape(written), argument)
    for token in tokenise(text):
        if entity_key(token.written or token.text) == key:
            name = f"{token.name}:" if token.name and not token.is_quoted_word else ""
            found = f"{text[: token.start]}{name}{argument}{text[token.end :]}"
    return found if found != text and _is_valid(found) else ""


def _plain(text: str) -> str:
    return visible(text).strip().removeprefix("/vsearch").strip()


def _is_valid(command: str) -> bool:
    try:
        parse(command)
    except InvalidInput:
        return False
    return True


def _replace(text: str, written: str, meant: str) -> str:
    pattern = re.compile(re.escape(written), re.IGNORECASE)
    # A URL may contain the word too, so look for a word or a modifier's value first.
    for token in tokenise(text):
        if token.text.lower() == written.lower() and (inside := [*pattern.finditer(text, token.start, token.end)]):
            return f"{text[: inside[-1].start()]}{meant}{text[inside[-1].end() :]}"
    return pattern.sub(lambda _: meant, text, count=1)
