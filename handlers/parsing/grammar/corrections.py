"""Correct a command that is almost right, so that a button can run what was meant."""

from __future__ import annotations

import re

from bot.domain.errors import InvalidInput, UserError
from handlers.parsing.grammar.parser import parse
from handlers.parsing.grammar.tokens import tokenise, visible


def corrected(text: str, error: UserError) -> str:
    """Return the command with what was meant in place of what was written, or an empty string if nothing is known."""
    if error.correction is None:
        return ""
    written, meant = error.correction
    found = _replace(visible(text).strip().removeprefix("/vsearch").strip(), written, meant)
    try:
        parse(found)
    except InvalidInput:
        return ""
    return found


def _replace(text: str, written: str, meant: str) -> str:
    pattern = re.compile(re.escape(written), re.IGNORECASE)
    # A URL may contain the word too, so look for a word or a modifier's value first.
    for token in tokenise(text):
        if token.text.lower() == written.lower() and (inside := [*pattern.finditer(text, token.start, token.end)]):
            return f"{text[: inside[-1].start()]}{meant}{text[inside[-1].end() :]}"
    return pattern.sub(lambda _: meant, text, count=1)
