"""Parts of search results: a match, remarks and buttons."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from bot.blocks.button_state import SearchState
from bot.blocks.ids import ActionId
from bot.blocks.limits import Block, sendable, shorten, size
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef, provenance, whereabouts, with_picture
from bot.blocks.mrkdwn import MAX_NAME_SHOWN, score_text
from bot.blocks.reply import button, section, verbatim
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import results as wording
from bot.blocks.wording.images import entity_title
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DataId
from bot.domain.matches import Caveat, Match

MAX_NOTE_SHOWN = 300

MAX_BUTTONS_SIZE = 5000
"""Of a message's 12,000 characters. Each button carries the whole search, and a URL may be long."""


class RankedAnswer(Protocol):
    """A match with its rank, its record in the catalogue, and the number of its entity's images that match."""

    @property
    def rank(self) -> int: ...  # noqa: D102 - see the class
    @property
    def match(self) -> Match: ...  # noqa: D102
    @property
    def record(self) -> ImageRecord | None: ...  # noqa: D102
    @property
    def note(self) -> str: ...  # noqa: D102
    @property
    def photos(self) -> int: ...  # noqa: D102
    @property
    def link(self) -> str: ...  # noqa: D102
    @property
    def database(self) -> str: ...  # noqa: D102


class SearchAnswer(Protocol):
    """The result of a search."""

    @property
    def database(self) -> DatabaseInfo: ...  # noqa: D102 - see the class
    @property
    def matches(self) -> Sequence[RankedAnswer]: ...  # noqa: D102
    @property
    def weaker(self) -> int: ...  # noqa: D102
    @property
    def hidden(self) -> int: ...  # noqa: D102
    @property
    def hides_images(self) -> bool: ...  # noqa: D102
    @property
    def cached_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def caveats(self) -> frozenset[Caveat]: ...  # noqa: D102
    @property
    def missing(self) -> Sequence[str]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class PresentationOptions:
    """How search results are shown, and to whom.

    Attributes:
        pictures: where Slack gets each match's picture from.
        state: the search itself, for the buttons; without it there are none.
        private: whether only one person sees the message.
        can_add: whether there is a button that adds the image.
        databases: number of databases to choose from.
        shared_by: the user who shared private results with the channel.
        can_search_part: whether there is a button that lets people choose a part of the picture.
        can_share: whether anyone else is in the conversation, so that private results can be shared.
        is_preview: whether not the file itself was searched for, but a preview of it.

    """

    pictures: Mapping[DataId, PictureRef] = field(default_factory=dict)
    state: SearchState | None = None
    private: bool = False
    can_add: bool = True
    databases: int = 1
    shared_by: str = ""
    can_share: bool = True
    can_search_part: bool = False
    is_preview: bool = False


DEFAULT_PRESENTATION = PresentationOptions()


def match_blocks(
    ranked: RankedAnswer, pictures: Mapping[DataId, PictureRef], note_shown: int = MAX_NOTE_SHOWN
) -> list[Block]:
    """Return a match with its picture, followed by at most ``note_shown`` characters of its note."""
    match, score = ranked.match, score_text(ranked.match.score)
    verdict = str(match.verdict)
    if match.edits:
        verdict += f": {', '.join(match.edits)}"
    if match.part is not None:
        verdict += f"  ·  {wording.found_in_part(match.part)}"
    if agreement := wording.text_agreement(match.text):
        verdict += f"  ·  {agreement}"
    photos = f"  ·  {wording.photos(ranked.photos)}" if ranked.photos > 1 else ""
    automatic = ranked.record is not None and ranked.record.named_automatically
    title = entity_title(match.entity, automatic=automatic)
    lines = [f"*{ranked.rank}.*  {title}", f"*{score}*  ·  {verdict}{photos}"]
    if ranked.record is not None:
        lines.append("  ·  ".join([provenance(ranked.record), *whereabouts(ranked.link, ranked.database)]))
    picture = pictures.get(match.data_id, NO_PICTURE)
    text = with_picture(section("\n".join(lines)), picture, f"{match.entity}, {score}, {match.verdict}")
    note = sendable(ranked.note)
    return [text, verbatim(note, note_shown)] if note and note_shown else [text]


def caveat_sentences(caveats: Collection[Caveat]) -> list[str]:
    """Return a sentence for each caveat."""
    return [sentence for caveat, sentence in wording.CAVEATS.items() if caveat in caveats]


def short_caveats(caveats: Collection[Caveat]) -> str:
    """Return a short sentence for each caveat, to follow another sentence; empty if there are none."""
    return "".join(f" {sentence}" for caveat, sentence in wording.SHORT_CAVEATS.items() if caveat in caveats)


def remarks(found: SearchAnswer, options: PresentationOptions, already_said: Collection[Caveat] = ()) -> list[str]:
    """Return further sentences about the results, without the caveats that were ``already_said``."""
    sentences = caveat_sentences(found.caveats - frozenset(already_said))
    if options.state is not None and (part := options.state.region) is not None:
        sentences.insert(0, wording.searched_part(part))
    if options.is_preview:
        sentences.insert(0, wording.COMPARED_BY_PREVIEW)
    if found.missing:
        sentences.insert(0, wording.databases_missing(found.missing))
    if found.weaker:
        sentences.append(wording.weaker_hidden(found.weaker))
    if found.hidden:
        sentences.append(wording.private_hidden(found.hidden, one_reader=options.private))
    if found.cached_at is not None:
        sentences.append(wording.from_earlier_search(found.cached_at))
    return sentences


def result_buttons(
    options: PresentationOptions, *, onward: int | None, back: int | None = None
) -> tuple[list[Block], str]:
    """Return the buttons below search results, and a sentence if some of them don't fit.

    Args:
        options: how the results are shown.
        onward: offset of the next page, if there is one.
        back: offset of the previous page, if there is one.

    """
    if options.state is None:
        return [], ""
    wanted = _wanted_buttons(options, options.state, onward, back)
    elements = [
        button(text, action_id, value)
        for text, action_id, carried in wanted
        if (value := button_value(carried)) is not None
    ]
    if len(elements) < len(wanted):
        return [], wording.NO_BUTTONS
    if size(elements) > MAX_BUTTONS_SIZE:
        elements = [element for element in elements if element["action_id"] != ActionId.CHOOSE_PART]
    if size(elements) <= MAX_BUTTONS_SIZE:
        return elements, "" if len(elements) == len(wanted) else wording.FEWER_BUTTONS
    most_wanted = [element for element in elements if element["action_id"] == ActionId.MORE] or elements[:1]
    return most_wanted, wording.FEWER_BUTTONS


def _wanted_buttons(
    options: PresentationOptions, state: SearchState, onward: int | None, back: int | None
) -> list[tuple[str, str, SearchState]]:
    """Return label, action and state of each button."""
    wanted: list[tuple[str, str, SearchState]] = []
    if onward is not None:
        wanted.append((labels.SHOW_MORE, ActionId.MORE, replace(state, offset=onward)))
    if back is not None:
        wanted.insert(0, (labels.SHOW_PREVIOUS, f"{ActionId.MORE}:previous", replace(state, offset=back)))
    if options.private and options.can_share:
        wanted.append((labels.SHARE_TO_CHANNEL, ActionId.SHARE, state))
    if options.databases > 1:
        wanted.append((labels.SEARCH_ANOTHER_DATABASE, ActionId.ANOTHER_DATABASE, replace(state, offset=0)))
    if options.can_add:
        wanted.append((labels.ADD_IMAGE, ActionId.ADD_THIS, state))
    if options.can_search_part:
        wanted.append((labels.SEARCH_PART, ActionId.CHOOSE_PART, replace(state, offset=0, part="")))
    return wanted


def button_value(state: SearchState) -> str | None:
    """Return the state as a button's value, with a shortened file name if need be; None if it is too long."""
    # The file's name is only for people, so a shortened name is better than no button.
    return state.encode() or replace(state, name=shorten(state.name, MAX_NAME_SHOWN)).encode()
