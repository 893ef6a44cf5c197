"""Search results for the pictures of one message: one reply, or several if they don't fit into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import MESSAGE_TEXT, Block, fits, shorten
from bot.blocks.messages.matches import (
    DEFAULT_PRESENTATION,
    MAX_NOTE_SHOWN,
    PresentationOptions,
    SearchAnswer,
    caveat_sentences,
    match_blocks,
    remarks,
    result_buttons,
    short_caveats,
)
from bot.blocks.messages.search_results import context_blocks, headline, search_reply, shared_by_blocks, summary
from bot.blocks.mrkdwn import code, escape_sentence, one_line
from bot.blocks.reply import Reply, buttons, heading, notice, section
from bot.blocks.wording import results as wording

MATCHES_PER_PICTURE = 3
"""Matches of each picture if one message had several pictures; more would hide the other pictures' matches."""


class PictureAnswer(Protocol):
    """One picture of several: its results, or why it could not be looked up."""

    @property
    def name(self) -> str: ...  # noqa: D102 - see the class
    @property
    def found(self) -> SearchAnswer | None: ...  # noqa: D102
    @property
    def problem(self) -> str: ...  # noqa: D102


def pictures_reply(
    pictures: Sequence[PictureAnswer], options: Sequence[PresentationOptions] = (), *, first: int = 1
) -> Reply:
    """Return the reply for all pictures of a message; several pictures get a part each.

    The reply says less about each picture so that more of them fit into one message, but every picture keeps its best
    match and the button that adds it. What still doesn't fit is in ``further``.

    Args:
        pictures: the results.
        options: how each picture's results are shown.
        first: the number of the first picture; higher if an earlier message answered the pictures before it.

    """
    all_options = [*options, *[DEFAULT_PRESENTATION] * (len(pictures) - len(options))]
    if len(pictures) == 1 and first == 1:
        (only,) = pictures
        if only.found is None:
            return notice(only.problem)
        return search_reply(only.found, all_options[0])
    return _Several(pictures, all_options, first).reply()


@dataclass(frozen=True, slots=True)
class _DetailLevel:
    """How much of each picture's results is shown.

    ``matches`` is a number of matches, ``note`` a number of characters. Without a ``row`` of buttons there is only the
    one that adds the picture, next to its title.
    """

    matches: int
    note: int
    row: bool = True


_DETAIL_LEVELS = (
    _DetailLevel(MATCHES_PER_PICTURE, MAX_NOTE_SHOWN),
    _DetailLevel(2, 150),
    _DetailLevel(1, 150),
    _DetailLevel(1, 0),
    _DetailLevel(1, 0, row=False),
)


class _Several:
    """Builds the messages about several pictures."""

    def __init__(self, pictures: Sequence[PictureAnswer], options: Sequence[PresentationOptions], first: int) -> None:
        self._pictures = pictures
        self._options = options
        self._first = first
        # The caveats that all results share are said once.
        found = [picture.found.caveats for picture in pictures if picture.found]
        self._common = frozenset.intersection(*found or [frozenset()])

    def reply(self) -> Reply:
        """Return as few messages as possible, with as much detail as they hold."""
        packed = [messages for level in _DETAIL_LEVELS if (messages := self._packed(level))]
        fewest = min(map(len, packed))
        head, *further = next(messages for messages in packed if len(messages) == fewest)
        return replace(head, further=tuple(further))

    def _packed(self, level: _DetailLevel) -> list[Reply]:
        """Return the messages at this level of detail; none if a picture's part is too long for a message."""
        parts = [self._part(location, level) for location in range(len(self._pictures))]
        messages: list[Reply] = []
        start = 0
        while start < len(parts):
            end, blocks = start, self._opening(start)
            while end < len(parts) and fits([*blocks, *parts[end]]):
                blocks += parts[end]
                end += 1
            if end == start:
                return []
            messages.append(Reply(self._text(start, end), tuple(blocks), pictures=end - start))
            start = end
        return messages

    def _opening(self, start: int) -> list[Block]:
        """Return the blocks before the first picture of a message."""
        if start or self._first > 1:
            return [section(wording.pictures_continued(self._first + start, self._total), BlockId.SUMMARY)]
        databases = dict.fromkeys(picture.found.database.key for picture in self._pictures if picture.found)
        return [
            section(wording.pictures_summary(self._total, [key.name for key in databases]), BlockId.SUMMARY),
            *(shared_by_blocks(self._options[0]) if self._options else []),
            *context_blocks(caveat_sentences(self._common), f"{BlockId.LEFT_OUT}_0"),
        ]

    @property
    def _total(self) -> int:
        return self._first - 1 + len(self._pictures)

    def _text(self, start: int, end: int) -> str:
        lines = [f"{self._first + location}. {self._headline(location)}" for location in range(start, end)]
        return shorten("\n".join(lines) + short_caveats(self._common), MESSAGE_TEXT)

    def _headline(self, location: int) -> str:
        found = self._pictures[location].found
        if found is None:
            return wording.NOT_LOOKED_UP
        return headline(found) + short_caveats(found.caveats - self._common)

    def _part(self, location: int, level: _DetailLevel) -> list[Block]:
        number, picture, options = self._first + location, self._pictures[location], self._options[location]
        found, name = picture.found, one_line(picture.name)
        if found is None:
            return _problem(number, picture, level)
        window = found.matches[: level.matches]
        elements, problem = result_buttons(options, onward=0 if len(window) < len(found.matches) else None)
        sentences = [*remarks(found, options, self._common), *([problem] if problem else [])]
        first_line = summary(found, 0, len(window))
        if level.row:
            blocks = [heading(wording.picture_title(number, name)), section(first_line)]
        else:
            title = section(f"{wording.short_picture_title(number, code(name, ''))}\n{first_line}")
            blocks = [_with_add_button(title, elements)]
        for ranked in window:
            blocks += match_blocks(ranked, options.pictures, level.note)
        blocks += context_blocks(sentences, f"{BlockId.LEFT_OUT}_{number}")
        row = [buttons(elements, f"{BlockId.BUTTONS}_{number}")] if elements and level.row else []
        return [*blocks, *row]


def _problem(number: int, picture: PictureAnswer, level: _DetailLevel) -> list[Block]:
    name, block_id = one_line(picture.name), f"{BlockId.NOTICE}_{number}"
    if level.row:
        return [heading(wording.picture_title(number, name)), *notice(picture.problem, block_id).blocks]
    title = wording.short_picture_title(number, code(name, ""))
    return [section(f"{title}\n{escape_sentence(picture.problem)}", block_id)]


def _with_add_button(title: Block, elements: Sequence[Block]) -> Block:
    add = next((element for element in elements if element["action_id"] == ActionId.ADD_THIS), None)
    return title if add is None else title | {"accessory": add}
