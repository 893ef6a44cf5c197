"""Split the tokens of ``rename`` and ``note`` into ids and texts."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.parsing.grammar.tokens import Token

_TO = frozenset({"to", "into", "->", "→", "=>"})

OtherModifiers = tuple[tuple[str, str], ...]
"""The modifiers that are no operands, with their values."""

Words = tuple[Token, ...]


def split_operands(tokens: Sequence[Token]) -> tuple[tuple[Words, Words] | None, OtherModifiers]:
    """Split ``<id> to <id>``. Each id may be several words, in quotes, or the value of ``id:``.

    The first result is None if an id is missing, or if it isn't clear where one ends.
    """
    sides: list[list[Token]] = [[]]
    others: list[tuple[str, str]] = []
    for token in tokens:
        if (token.name == "to" and not token.is_quoted_word) or _is_separator(token):
            sides.append([_plain(token)] if token.name and token.text else [])
        elif token.name == "id" and not token.is_quoted_word:
            if sides[-1]:
                sides.append([])
            sides[-1].append(_plain(token))
        elif token.is_operand:
            sides[-1].append(token)
        else:
            others.append((token.name, token.text))
    match sides:
        case [old, new] if old and new:
            return (tuple(old), tuple(new)), tuple(others)
        case _:
            return None, tuple(others)


def split_note(tokens: Sequence[Token]) -> tuple[tuple[Words, str] | None, OtherModifiers]:
    """Split ``<id> "<text>"``. The first result is None if there is no id, or no text in quotes."""
    named: list[Token] = []
    others: list[tuple[str, str]] = []
    notes: list[str] = []
    for token in tokens:
        if token.name == "note" and not token.is_quoted_word:
            notes.append(token.text)
        elif token.name == "id" and not token.is_quoted_word:
            named.append(_plain(token))
        elif token.is_operand:
            named.append(token)
        else:
            others.append((token.name, token.text))
    if not notes and len(named) > 1 and named[-1].is_quoted:
        notes.append(named.pop().written)
    is_clear = len(notes) == 1 and bool(named)
    return ((tuple(named), notes[0]) if is_clear else None), tuple(others)


def _is_separator(token: Token) -> bool:
    return not token.name and not token.is_quoted and token.text.lower() in _TO


def _plain(token: Token) -> Token:
    """Return the value of a modifier as a word."""
    return Token(token.text, is_quoted=token.is_quoted, written=token.text)
