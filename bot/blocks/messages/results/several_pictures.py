"""Search results for the pictures of one message: one reply, or several if they don't fit into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from bot.blocks.ids import BlockId
from bot.blocks.limits import MESSAGE_TEXT, Block, fits, shorten
from bot.blocks.messages.image_details import NO_PICTURE, with_picture
from bot.blocks.messages.results.actions import actions_for_several
from bot.blocks.messages.results.matches import (
    DEFAULT_PRESENTATION,
    MAX_NOTE_SHOWN,
    PresentationOptions,
    SearchAnswer,
    age_remark,
    alt_text_of,
    match_text,
    note_below,
    said_first,
    short_caveats,
)
from bot.blocks.messages.results.one_picture import (
    asked_text,
    context_blocks,
    headline,
    is_unsure,
    search_reply,
    shared_by_blocks,
    summary,
)
from bot.blocks.mrkdwn import code, escape_sentence, one_line
from bot.blocks.reply import Reply, buttons, notice, section
from bot.blocks.wording import results as wording
from bot.domain.matches import Verdict

MATCHES_PER_PICTURE = 1
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

    Every picture has its best match, and all share one row of actions. A menu opens the whole answer for one of them.
    What doesn't fit is in ``further``, with actions of its own.

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


_NOTE_LENGTHS = (MAX_NOTE_SHOWN, 150, 0)
"""Characters of each note that is no headline: the first length with which the answer needs the fewest messages."""


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
        """Return as few messages as possible, with as much of the notes as they hold."""
        packed = [messages for length in _NOTE_LENGTHS if (messages := self._packed(length))]
        fewest = min(map(len, packed))
        head, *further = next(messages for messages in packed if len(messages) == fewest)
        return replace(head, further=tuple(further))

    def _packed(self, note_shown: int) -> list[Reply]:
        """Return the messages with notes of this length; none if a picture's part is too long for a message."""
        parts = [self._part(location, note_shown) for location in range(len(self._pictures))]
        messages: list[Reply] = []
        start = 0
        while start < len(parts):
            end, blocks = start, self._opening(start)
            last = self._closing(start, start)
            while end < len(parts):
                closing = self._closing(start, end + 1)
                if not fits([*blocks, *parts[end], *closing]):
                    break
                blocks += parts[end]
                end, last = end + 1, closing
            if end == start:
                return []
            messages.append(Reply(self._text(start, end), (*blocks, *last), pictures=end - start))
            start = end
        return messages

    def _opening(self, start: int) -> list[Block]:
        """Return the blocks before the first picture of a message."""
        if start or self._first > 1:
            return [section(wording.pictures_continued(self._first + start, self._total), BlockId.SUMMARY)]
        found = [picture.found for picture in self._pictures if picture.found]
        databases = list(dict.fromkeys(one.database for one in found))
        is_sure = not any(is_unsure(one) and not one.matches for one in found)
        verdicts = [one.matches[0].match.verdict for one in found if one.matches]
        hits = sum(verdict.is_same_thing for verdict in verdicts)
        similar = verdicts.count(Verdict.SIMILAR)
        return [
            section(wording.pictures_summary(self._total, hits, similar, databases, is_sure=is_sure), BlockId.SUMMARY),
            *(shared_by_blocks(replace(self._options[0], asked=None)) if self._options else []),
            *context_blocks(wording.caveat_sentences(self._common), f"{BlockId.LEFT_OUT}_0"),
        ]

    def _closing(self, start: int, end: int) -> list[Block]:
        """Return the blocks below the pictures of a message: what was left out, and the actions."""
        answered = [
            (self._first + place, picture.name, picture.found, self._options[place])
            for place, picture in enumerate(self._pictures[start:end], start=start)
            if picture.found is not None
        ]
        actions, problem = actions_for_several(
            [
                (number, name, found.matches[0] if found.matches else None, options)
                for number, name, found, options in answered
            ]
        )
        sentences = _left_out([(found, options) for _, _, found, options in answered])
        row = [buttons(actions, BlockId.BUTTONS)] if actions else []
        return [*context_blocks([*sentences, *([problem] if problem else [])], BlockId.LEFT_OUT), *row]

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
        return headline(found) + short_caveats(found.caveats - self._common - said_first(found))

    def _part(self, location: int, note_shown: int) -> list[Block]:
        """Return the blocks about one picture: its name, and its best match."""
        number, picture, options = self._first + location, self._pictures[location], self._options[location]
        found, link = picture.found, asked_text(replace(options.asked, name="")) if options.asked else ""
        title = wording.short_picture_title(number, code(one_line(picture.name), ""), link)
        if found is None:
            return [section(f"{title}\n{escape_sentence(picture.problem)}", f"{BlockId.NOTICE}_{number}")]
        by_preview = [wording.COMPARED_BY_PREVIEW] if options.is_preview else []
        caveats = wording.caveat_sentences(found.caveats - self._common - said_first(found))
        said = context_blocks([*by_preview, *caveats], f"{BlockId.LEFT_OUT}_{number}")
        if not found.matches:
            return [section(f"{title}\n{summary(found, 0, 0)}"), *said]
        best = found.matches[0]
        more = [wording.further_in_answer(len(found.matches) - 1)] if len(found.matches) > 1 else []
        text, alt_text = match_text(best, more=more), alt_text_of(best)
        shown = with_picture(
            section(f"{title}\n{text}"), options.pictures.get(best.match.data_id, NO_PICTURE), alt_text
        )
        return [shown, *note_below(best, note_shown), *said]


def _left_out(answered: Sequence[tuple[SearchAnswer, PresentationOptions]]) -> list[str]:
    """Return what is not shown of all pictures of a message, and how old the results are."""
    missing = dict.fromkeys(name for found, _ in answered for name in found.missing)
    sentences = [wording.databases_missing(list(missing))] if missing else []
    if weaker := sum(found.weaker for found, _ in answered):
        sentences.append(wording.weaker_hidden(weaker))
    if hidden := sum(found.hidden for found, _ in answered):
        sentences.append(wording.private_hidden(hidden, one_reader=answered[0][1].private))
    ages = [(found.cached_at, age) for found, options in answered for age in age_remark(found, options)]
    oldest = min(ages, default=None, key=lambda one: one[0] or datetime.max.replace(tzinfo=UTC))
    return sentences if oldest is None else [*sentences, oldest[1]]
