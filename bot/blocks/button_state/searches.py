"""Searches that can be repeated, alone or as the files of one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from bot.blocks.button_state.base import InteractionState
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.errors import InvalidInput
from bot.domain.matches import PictureRegion

PART_SCALE = 1000
"""Parts of pictures are carried in thousandths."""

WITH_TEXT, WITHOUT_TEXT = "yes", "no"
"""Values of ``SearchState.text``. Further pages of an answer must have the order of the first one."""


@dataclass(frozen=True, slots=True)
class SearchState(InteractionState):
    """A search that can be repeated.

    Attributes:
        file: the Slack file to search with; empty for a URL.
        url: the image URL to search with; empty for a file.
        name: the file's name, for people.
        channel: where the file was shared; empty for an upload in a modal.
        message: timestamp of the message that shared it; empty for an upload in a modal.
        thread: timestamp of the thread that answers go into.
        database: the database to search.
        top: number of matches on a page.
        minimum: matches with a lower score are hidden.
        offset: number of matches on earlier pages.
        part: the part of the picture to search, as ``encode_part`` returns it; empty for the whole.
        text: whether the text of the picture takes part, as on an earlier page: WITH_TEXT, WITHOUT_TEXT or empty.
        known: whether the answer shows a copy of the picture, so that few people want to add it.

    """

    file: str = ""
    url: str = ""
    name: str = ""
    channel: str = ""
    message: str = ""
    thread: str = ""
    database: str = ""
    top: int = 5
    minimum: float = 5.0
    offset: int = 0
    part: str = ""
    text: str = ""
    known: bool = False

    @property
    def region(self) -> PictureRegion | None:
        """The part of the picture to search, or None for the whole. Raises InvalidInput if it can't be read."""
        if not self.part:
            return None
        try:
            left, top, width, height = (int(number) / PART_SCALE for number in self.part.split(","))
        except ValueError:
            raise InvalidInput(STALE_BUTTON) from None
        return PictureRegion(left, top, width, height)


@dataclass(frozen=True, slots=True)
class CompareState(InteractionState):
    """A picture that was searched with, and the stored image that it is compared with.

    The fields are those of ``SearchState``, with the database that has the image. ``image`` is its data id.
    """

    file: str = ""
    url: str = ""
    channel: str = ""
    message: str = ""
    database: str = ""
    part: str = ""
    image: str = ""

    @classmethod
    def of(cls, search: SearchState, database: str, image: str) -> Self:
        """Return the state for a match of a search."""
        return cls(search.file, search.url, search.channel, search.message, database, search.part, image)

    @property
    def search(self) -> SearchState:
        """The asked picture, as a search."""
        return SearchState(
            file=self.file,
            url=self.url,
            channel=self.channel,
            message=self.message,
            database=self.database,
            part=self.part,
        )


def encode_part(region: PictureRegion) -> str:
    """Return left, top, width and height in thousandths of the picture's sides. The region stays inside."""
    left, top = (int(value * PART_SCALE) for value in (region.left, region.top))
    width = min(max(1, round(region.width * PART_SCALE)), PART_SCALE - left)
    height = min(max(1, round(region.height * PART_SCALE)), PART_SCALE - top)
    return f"{left},{top},{width},{height}"


_SAME_BUT_FOR = "+"
"""Begins a line about a file of the same message as the first: it repeats only what differs."""


def encode_searches(searches: Sequence[SearchState], *, names: bool = True) -> str:
    """Return several searches as lines. Without ``names``, many more fit into a modal; Slack knows them too."""
    if not names:
        searches = [replace(search, name="") for search in searches]
    lines = [search.encode() or "" for search in searches[:1]]
    for search in searches[1:]:
        if replace(search, file=searches[0].file, name=searches[0].name, known=searches[0].known) == searches[0]:
            difference = SearchState(file=search.file, name=search.name, known=search.known)
            lines.append(f"{_SAME_BUT_FOR}{difference.encode() or ''}")
        else:
            lines.append(search.encode() or "")
    return "\n".join(lines)


def decode_searches(text: str) -> list[SearchState]:
    """Read encoded searches. Raises InvalidInput."""
    searches: list[SearchState] = []
    for line in text.split("\n"):
        read = SearchState.decode(line.removeprefix(_SAME_BUT_FOR))
        is_difference = line.startswith(_SAME_BUT_FOR) and searches
        same = replace(searches[0], file=read.file, name=read.name, known=read.known) if is_difference else read
        searches.append(same)
    return searches
