"""A page of the images that were found by words, with what has the words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from bot.blocks.button_state import FindState
from bot.blocks.ids import ActionId, BlockId
from bot.blocks.limits import SECTION_TEXT, Block, escape, fit, length
from bot.blocks.messages.image_details import (
    NO_PICTURE,
    SEPARATOR,
    PictureRef,
    headline,
    provenance,
    whereabouts,
    with_picture,
)
from bot.blocks.mrkdwn import one_line
from bot.blocks.reply import Reply, button, buttons, page_buttons, section
from bot.blocks.wording import find as wording
from bot.blocks.wording.images import entity_title
from bot.domain.catalogue import ImageRecord
from bot.domain.identifiers import ALL_DATABASES, DataId

SHOWN_BEFORE, SHOWN_AFTER = 60, 120
"""Characters of a text before its first word that was found, and after it."""

MAX_PASSAGES = 4

# Slack reads emphasis only at the boundary of a word, and has no escape for its signs.
_BOUNDARY = "\u200b"
_SIGNS = str.maketrans({"*": "∗", "`": "'", "~": "∼"})
_ITALIC = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_EMOJI = re.compile(r":(?=[\w+'-]+:)")


class FoundPassage(Protocol):
    """A text that has some of the words, and the places of these."""

    @property
    def source(self) -> str: ...  # noqa: D102 - see the class
    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def marks(self) -> Sequence[tuple[int, int]]: ...  # noqa: D102


class FoundImage(Protocol):
    """An image that has the words, with only what its reader may see."""

    @property
    def record(self) -> ImageRecord: ...  # noqa: D102 - see the class
    @property
    def passages(self) -> Sequence[FoundPassage]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of what was found.

    Attributes:
        state: the page itself, for its buttons.
        found: all images that were found, best first.
        pictures: where Slack gets each picture of the page from.
        links: the link of each image's id.
        is_cut: whether there are more images than were looked for.
        has_others: whether there are other databases to search.
    """

    state: FindState
    found: Sequence[FoundImage]
    pictures: Mapping[DataId, PictureRef]
    links: Mapping[DataId, str]
    is_cut: bool = False
    has_others: bool = False


def found_reply(page: FoundPage) -> Reply:
    """Return a page of the images that were found by words."""
    state, total = page.state, len(page.found)
    start = min(max(0, state.offset), total)
    window = page.found[start : start + max(1, state.top)]
    groups = [_image(start + place, one, page) for place, one in enumerate(window, start=1)]

    def build(kept: int) -> list[Block]:
        text = wording.summary(state.words, state.database, total, start, kept, is_cut=page.is_cut)
        actions = _buttons(page, start, start + kept)
        return [section(text, BlockId.SUMMARY), *groups[:kept], *actions]

    return Reply(escape(wording.headline(state.words, state.database, total)), fit(len(groups), build))


def _image(rank: int, found: FoundImage, page: FoundPage) -> Block:
    record = found.record
    database = str(record.database.name) if page.state.database == ALL_DATABASES else ""
    words, used = _headline(found)
    title = SEPARATOR.join([*words, entity_title(record.entity, automatic=record.named_automatically)])
    title = f"*{rank}.*  {title}"
    others = [one for one in found.passages if one is not used and one.text != str(record.entity)]
    passages = [f"{wording.SOURCES[one.source]}: {_passage(one)}" for one in others[:MAX_PASSAGES]]
    details = SEPARATOR.join([provenance(record), *whereabouts(page.links.get(record.data_id, ""), database)])
    # Escaping makes a passage up to five times longer, and a cut would break the links at the end.
    while passages and length("\n".join([title, *passages, details])) > SECTION_TEXT:
        passages.pop()
    picture = page.pictures.get(record.data_id, NO_PICTURE)
    alt_text = wording.found_alt(rank, record.database.name, record.entity, record.note)
    return with_picture(section("\n".join([title, *passages, details])), picture, alt_text)


def _headline(found: FoundImage) -> tuple[list[str], FoundPassage | None]:
    """Return the note of an image if it can be the headline, with the words in bold, and the passage that it is."""
    note = found.record.note
    if not (words := headline(note)):
        return [], None
    passage = next((one for one in found.passages if one.source == "note" and one.text == note), None)
    return ([words] if passage is None else [_passage(passage, len(note), len(note))]), passage


def _passage(passage: FoundPassage, before: int = SHOWN_BEFORE, after: int = SHOWN_AFTER) -> str:
    """Return the text around the words, with the words in bold."""
    first, end = max(0, passage.marks[0][0] - before), passage.marks[0][1] + after
    parts, at = ["…" if first else ""], first
    for start, stop in passage.marks:
        if stop > end:
            break
        parts += [_plain(passage.text[at:start]), f"{_BOUNDARY}*{_plain(passage.text[start:stop])}*{_BOUNDARY}"]
        at = stop
    return "".join([*parts, _plain(passage.text[at:end]), "…" if end < len(passage.text) else ""])


def _plain(text: str) -> str:
    """Return a piece of text without markup, on one line. A blank at its beginning or end stays."""
    before, after = " " if text[:1].isspace() else "", " " if text[1:] and text[-1:].isspace() else ""
    shown = one_line(text).translate(_SIGNS)
    # Look-alikes: an underscore inside a word and a single colon have no effect, and stay.
    shown = _EMOJI.sub("∶", _ITALIC.sub("ˍ", shown))
    return escape(f"{before}{shown}{after}")


def _buttons(page: FoundPage, start: int, end: int) -> list[Block]:
    state = page.state
    previous = replace(state, offset=max(0, start - state.top)) if start else None
    following = replace(state, offset=end) if end < len(page.found) else None
    elements = page_buttons(ActionId.FIND_PAGE, previous, following)
    if page.has_others and state.database != ALL_DATABASES:
        everywhere = replace(state, offset=0, database=str(ALL_DATABASES)).encode()
        elements += [button(wording.SEARCH_ALL, f"{ActionId.FIND_PAGE}:all", everywhere)] if everywhere else []
    return [buttons(elements, BlockId.BUTTONS)] if elements else []
