"""Answers to queries that each show one stored picture: found, called a copy, and rightly described."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.domain.identifiers import EntityId
from bot.domain.matches import Match

COPY = 9.0
"""Least score of a copy."""


@dataclass(slots=True)
class CopyTally:
    """Answers to one kind of query, one item for each in all lists but ``described``.

    ``first``: the picture is the first match. ``copies``: it is called a copy. ``false``: another one is.
    ``described``: of the copies, whether what is said about them is right.
    """

    first: list[bool] = field(default_factory=list)
    copies: list[bool] = field(default_factory=list)
    false: list[bool] = field(default_factory=list)
    described: list[bool] = field(default_factory=list)

    def note(self, answer: Sequence[Match], truth: EntityId, is_described: Callable[[Match], bool]) -> None:
        """Record one answer. ``is_described`` returns whether what a match says is right."""
        own = next((match for match in answer if match.entity == truth), None)
        is_copy = own is not None and own.score >= COPY
        self.first.append(bool(answer) and answer[0].entity == truth)
        self.copies.append(is_copy)
        self.false.append(any(match.score >= COPY and match.entity != truth for match in answer))
        if own is not None and is_copy:
            self.described.append(is_described(own))
