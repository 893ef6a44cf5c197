"""What answers to a search are made of: a match, what was left out, the buttons. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bot.blocks.button_state import SearchState
from bot.blocks.ids import ActionId
from bot.blocks.limits import Block, sendable, shorten, size
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, provenance, with_picture
from bot.blocks.reply import button, section, verbatim
from bot.blocks.wording import MAX_NAME_SHOWN, count, score_text, time_text
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DataId
from bot.domain.matches import Caveat, Match

MAX_NOTE_SHOWN = 300

_CAVEATS = {
    Caveat.SAME_IMAGES_ONLY: (
        "The image search can't be reached right now: I looked for copies of this very picture only, by their"
        " fingerprints. Ask again later for similar ones."
    ),
    Caveat.CROWDED_OUT: (
        "Some matches may be missing: the image search gives its 200 best only, and most of these are in other"
        " databases."
    ),
}
_CAVEATS_IN_SHORT = {
    Caveat.SAME_IMAGES_ONLY: "Only copies could be looked for.",
    Caveat.CROWDED_OUT: "Some may be missing.",
}
"""The same for notifications and screen readers, which read it with the best match."""

MAX_BUTTONS_SIZE = 5000
"""Of a message's 12,000 characters: each button carries the whole search, and an address may be long."""


class RankedAnswer(Protocol):
    """One match with its place and what the catalogue knows of it."""

    @property
    def rank(self) -> int: ...  # noqa: D102 - see the class
    @property
    def match(self) -> Match: ...  # noqa: D102
    @property
    def record(self) -> ImageRecord | None: ...  # noqa: D102


class SearchAnswer(Protocol):
    """What a search found."""

    @property
    def database(self) -> DatabaseInfo: ...  # noqa: D102 - see the class
    @property
    def matches(self) -> Sequence[RankedAnswer]: ...  # noqa: D102
    @property
    def weaker(self) -> int: ...  # noqa: D102
    @property
    def hidden(self) -> int: ...  # noqa: D102
    @property
    def cached_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def caveats(self) -> frozenset[Caveat]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class PresentationOptions:
    """How an answer is shown, and to whom.

    ``state``: the search itself, for the buttons; None: there are none. ``private``: one person sees it, who may share
    it if there is anybody else here (``can_share``). ``databases``: how many there are to choose from. ``shared_by``:
    the user who let the others see it.
    """

    pictures: Mapping[DataId, PictureRef] = field(default_factory=dict)
    state: SearchState | None = None
    private: bool = False
    can_add: bool = True
    databases: int = 1
    shared_by: str = ""
    can_share: bool = True


DEFAULT_PRESENTATION = PresentationOptions()


def match_blocks(
    ranked: RankedAnswer, pictures: Mapping[DataId, PictureRef], note_shown: int = MAX_NOTE_SHOWN
) -> list[Block]:
    """A match with its picture, and below it as much of its note."""
    match, score = ranked.match, score_text(ranked.match.score)
    verdict = str(match.verdict)
    if match.edits:
        verdict += f": {', '.join(match.edits)}"
    lines = [f"*{ranked.rank}.*  `{match.entity}`", f"*{score}*  ·  {verdict}"]
    if ranked.record is not None:
        lines.append(provenance(ranked.record))
    picture = pictures.get(match.data_id, NO_PICTURE)
    text = with_picture(section("\n".join(lines)), picture, f"{match.entity}, {score}, {match.verdict}")
    note = sendable(match.note)
    return [text, verbatim(note, note_shown)] if note and note_shown else [text]


def caveat_sentences(caveats: Collection[Caveat]) -> list[str]:
    """A sentence for each."""
    return [sentence for caveat, sentence in _CAVEATS.items() if caveat in caveats]


def caveats_in_short(caveats: Collection[Caveat]) -> str:
    """The same in short, to stand behind a sentence; empty if there is none."""
    return "".join(f" {sentence}" for caveat, sentence in _CAVEATS_IN_SHORT.items() if caveat in caveats)


def remarks(found: SearchAnswer, options: PresentationOptions, already_said: Collection[Caveat] = ()) -> list[str]:
    """What else there is to know of an answer, a sentence each; but for the caveats that were ``already_said``."""
    sentences = caveat_sentences(found.caveats - frozenset(already_said))
    if found.weaker:
        noun = "weaker match was" if found.weaker == 1 else "weaker matches were"
        sentences.append(f"{found.weaker:,} {noun} left out; `min:0` in a `/vsearch` shows more.")
    if found.hidden:
        reader = "you can't see" if options.private else "not everybody here can see"
        places = "is from a place" if found.hidden == 1 else "are from places"
        sentences.append(f"{count(found.hidden, 'more match', 'more matches')} {places} that {reader}.")
    if found.cached_at is not None:
        sentences.append(f"From the cache, as of {time_text(found.cached_at)}.")
    return sentences


def result_buttons(
    options: PresentationOptions, *, onward: int | None, back: int | None = None
) -> tuple[list[Block], str]:
    """The buttons below an answer, and a sentence where there is no room for them.

    ``onward``, ``back``: where the next and the previous matches begin, if there are any.
    """
    state = options.state
    if state is None:
        return [], ""
    wanted: list[tuple[str, str, SearchState]] = []
    if onward is not None:
        wanted.append(("More", ActionId.MORE, replace(state, offset=onward)))
    if back is not None:
        wanted.insert(0, ("Previous", f"{ActionId.MORE}:previous", replace(state, offset=back)))
    if options.private and options.can_share:
        wanted.append(("Share to channel", ActionId.SHARE, state))
    if options.databases > 1:
        wanted.append(("Search another database", ActionId.ANOTHER_DATABASE, replace(state, offset=0)))
    if options.can_add:
        wanted.append(("Add this image", ActionId.ADD_THIS, state))
    elements = [
        button(text, action_id, value) for text, action_id, carried in wanted if (value := _value(carried)) is not None
    ]
    if len(elements) < len(wanted):
        return [], "The address of this image is too long for buttons."
    if size(elements) <= MAX_BUTTONS_SIZE:
        return elements, ""
    most_wanted = [element for element in elements if element["action_id"] == ActionId.MORE] or elements[:1]
    return most_wanted, "The address of this image is too long for more buttons."


def _value(state: SearchState) -> str | None:
    # The file's name only decorates: better a short one than no button.
    return state.encode() or replace(state, name=shorten(state.name, MAX_NAME_SHOWN)).encode()
