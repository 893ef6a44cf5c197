"""Parts of search results: a match, and remarks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot.blocks.button_state import SearchState
from bot.blocks.limits import Block, sendable
from bot.blocks.messages.image_details import (
    NO_PICTURE,
    SEPARATOR,
    PictureRef,
    headline,
    image_of,
    provenance,
    whereabouts,
    with_picture,
)
from bot.blocks.mrkdwn import score_text
from bot.blocks.reply import section, verbatim
from bot.blocks.wording import results as wording
from bot.blocks.wording.images import entity_title
from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DataId
from bot.domain.matches import Caveat, Match

MAX_NOTE_SHOWN = 300

FRESH_FOR = timedelta(minutes=1)
"""Age from which an answer says how old its results are."""


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
class AskedPicture:
    """The picture that was searched with, for readers who don't see it: its name, a link to it, and how it is shown."""

    name: str = ""
    link: str = ""
    picture: PictureRef = NO_PICTURE


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
        asked: the picture that was searched with, if the readers don't see it next to the answer.
        now: the time at which the message is written, to tell how old results are.
        fingerprint: that of the picture that was searched with; empty if nobody is asked whether the match is right.

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
    asked: AskedPicture | None = None
    now: datetime | None = None
    fingerprint: bytes = b""


DEFAULT_PRESENTATION = PresentationOptions()


def match_blocks(
    ranked: RankedAnswer,
    pictures: Mapping[DataId, PictureRef],
    note_shown: int = MAX_NOTE_SHOWN,
    *,
    large: bool = False,
    accessory: Block | None = None,
) -> list[Block]:
    """Return a match with its picture, and at most ``note_shown`` characters of a note that is no headline.

    The picture is next to the text, or if ``large`` below it, which leaves room for an ``accessory``.
    """
    text, note = match_text(ranked, one_line=large and ranked.photos == 1), note_below(ranked, note_shown)
    alt_text = alt_text_of(ranked)
    picture = pictures.get(ranked.match.data_id, NO_PICTURE)
    if not large:
        return [with_picture(section(text), picture, alt_text), *note]
    first, image = section(text), image_of(picture, alt_text)
    if accessory is not None:
        first["accessory"] = accessory
    return [first, *note, *([image] if image else [])]


def alt_text_of(ranked: RankedAnswer) -> str:
    """Return what the picture of a match shows."""
    return f"{ranked.match.entity}, {score_text(ranked.match.score)}, {ranked.match.verdict}"


def match_text(ranked: RankedAnswer, *, one_line: bool = False, more: Sequence[str] = ()) -> str:
    """Return a match: its note or id as headline, then what it is, who added it and ``more``, in one line or two."""
    match, record = ranked.match, ranked.record
    title = entity_title(match.entity, automatic=record is not None and record.named_automatically)
    words = headline(ranked.note)
    first = [f"*{ranked.rank}.*  *{words}*", title] if words else [f"*{ranked.rank}.*  {title}"]
    edits = f" ({', '.join(match.edits)})" if match.edits else ""
    details = [
        f"{match.verdict}{edits}, {score_text(match.score)}",
        wording.found_in_part(match.part) if match.part is not None else "",
        wording.text_agreement(match.text),
        wording.photos(ranked.photos) if ranked.photos > 1 else "",
        provenance(record) if record is not None else "",
        *whereabouts(ranked.link, ranked.database),
        *more,
    ]
    second = SEPARATOR.join(filter(None, details))
    return SEPARATOR.join([*first, second]) if one_line else f"{SEPARATOR.join(first)}\n{second}"


def note_below(ranked: RankedAnswer, note_shown: int) -> list[Block]:
    """Return the note as a block of its own, unless it is the headline."""
    note = sendable(ranked.note)
    return [verbatim(note, note_shown)] if note and note_shown and not headline(note) else []


def short_caveats(caveats: Collection[Caveat]) -> str:
    """Return a short sentence for each caveat, to follow another sentence; empty if there are none."""
    return "".join(f" {sentence}" for caveat, sentence in wording.SHORT_CAVEATS.items() if caveat in caveats)


def said_first(found: SearchAnswer) -> frozenset[Caveat]:
    """Return the caveats that the first line of an answer says."""
    is_told = not (found.matches or found.hidden or found.hides_images)
    return frozenset({Caveat.NOTHING_TO_COMPARE} if is_told else ())


def remarks(found: SearchAnswer, options: PresentationOptions, already_said: Collection[Caveat] = ()) -> list[str]:
    """Return further sentences about the results, without the caveats that were ``already_said``."""
    sentences = wording.caveat_sentences(found.caveats - {*already_said, *said_first(found)})
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
    return [*sentences, *age_remark(found, options)]


def age_remark(found: SearchAnswer, options: PresentationOptions) -> list[str]:
    """Return how old the results are, if they are old enough to matter."""
    if found.cached_at is None or (options.now is not None and options.now - found.cached_at < FRESH_FOR):
        return []
    return [wording.from_earlier_search(found.cached_at)]
