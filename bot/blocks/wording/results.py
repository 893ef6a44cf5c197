"""Texts of search results."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from bot.blocks.limits import escape
from bot.blocks.mrkdwn import ago_text, count, database_code, database_size, score_text
from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import DatabaseName
from bot.domain.matches import Caveat, Match, PictureRegion, TextAgreement, Verdict

NOT_LOOKED_UP = "Couldn't look this up."
NO_BUTTONS = "There are no buttons because the image's URL is too long."
FEWER_BUTTONS = "Some buttons are missing because the image's URL is too long."

CAVEATS = {
    Caveat.SAME_IMAGES_ONLY: (
        "I could only check for copies of this image because the image search can't be reached right now."
        " Search again later for similar ones."
    ),
    Caveat.CROWDED_OUT: (
        "Some matches may be missing. The image search returns only its 200 best, and most of them are in other"
        " databases."
    ),
    Caveat.NOTHING_TO_COMPARE: "This image is all one colour, so there's nothing in it to compare.",
}
SHORT_CAVEATS = {
    Caveat.SAME_IMAGES_ONLY: "Only checked for copies.",
    Caveat.CROWDED_OUT: "Some matches may be missing.",
    Caveat.NOTHING_TO_COMPARE: "There's nothing in this image to compare.",
}
"""The caveats for notifications and screen readers, which read them after the best match."""

LEADS = {
    Verdict.SAME: "The same image is",
    Verdict.EDITED: "An edited copy is",
    Verdict.SAME_ITEM: "The same item is",
    Verdict.SIMILAR: "Something similar is",
    Verdict.UNLIKELY: "Nothing close is",
}
"""The answer in words, by the verdict about the best match."""

UNSURE_LEAD = "Unlikely matches are"
"""Instead of "nothing close", where a close match may be hidden from the readers."""

NO_DETAIL = "This picture has no detail to compare."

MAX_DATABASES_NAMED = 3

_WHOLE_SIDE = 0.8
"""Share of a side from which a part takes all of it."""
_FIRST_THIRD, _LAST_THIRD = 0.4, 0.6
"""Where the middle of a part lies that is called the left or the right one."""


CHOOSE_PART = "Which part should I search?"
CHOOSE_PART_ALT = "Your picture with numbered frames around its parts"


def caveat_sentences(caveats: Collection[Caveat]) -> list[str]:
    """Return a sentence for each caveat."""
    return [sentence for caveat, sentence in CAVEATS.items() if caveat in caveats]


def found_in_part(part: PictureRegion) -> str:
    """Return in which part of the picture the match was found."""
    return f"found in the {_part_name(part)} of the picture"


COMPARED_BY_PREVIEW = "Compared by its preview."


def searched_part(part: PictureRegion) -> str:
    """Return that only a part of the picture was searched."""
    return f"Searched only the {_part_name(part)} of the picture."


def part_label(part: PictureRegion) -> str:
    """Return where a part is, with a capital letter."""
    return _part_name(part).capitalize()


def _part_name(part: PictureRegion) -> str:
    places = (_place(part.top, part.height, "top", "bottom"), _place(part.left, part.width, "left", "right"))
    where = " ".join(filter(None, places))
    return f"{where} part" if where else "middle"


def _place(start: float, length: float, first: str, last: str) -> str:
    middle = start + length / 2
    if length >= _WHOLE_SIDE or _FIRST_THIRD <= middle <= _LAST_THIRD:
        return ""
    return first if middle < _FIRST_THIRD else last


def best_match(database: str, match: Match) -> str:
    """Return the notification for results: the best match."""
    return f"Best match in {database}: {escape(match.entity)}, {score_text(match.score)}, {match.verdict}."


def photos(number: int) -> str:
    """Return how many pictures of an entity match."""
    return count(number, "photo")


def photo_alt(entity: str, number: int, total: int) -> str:
    """Return what one of an entity's pictures shows, for people who don't see it."""
    return f"{entity}, photo {number} of {total}"


def text_agreement(text: TextAgreement | None) -> str:
    """Return how far the words in two pictures agree; empty if they have none in common."""
    if text is None:
        return ""
    if text.contradicts:
        return "same layout, different text"
    verb = "agrees" if text.agreeing == 1 else "agree"
    return f"text: {text.agreeing:,} of {count(text.words, 'word')} {verb}" if text.agreeing else ""


def databases_missing(names: Sequence[str]) -> str:
    """Return which databases did not answer, while others did."""
    shown = [f"`{name}`" for name in names[:MAX_DATABASES_NAMED]]
    more = f" and {count(len(names) - len(shown), 'other')}" if len(names) > len(shown) else ""
    verb = "doesn't" if len(names) == 1 else "don't"
    return f"{', '.join(shown)}{more} {verb} answer right now, so matches there are missing."


def further_matches(database: str) -> str:
    """Return the notification for a further page of results."""
    return f"More matches in {database}."


def no_matches(where: str, caveats: frozenset[Caveat], *, weaker: bool) -> str:
    """Return that nothing matched, and claim no more than was searched for.

    Args:
        where: the database as text.
        caveats: what limited the search.
        weaker: whether matches below the minimum were hidden, among which copies may be.

    """
    if not caveats:
        return f"No close matches in {where}."
    if Caveat.NOTHING_TO_COMPARE in caveats:
        return f"{NO_DETAIL} Nothing found in {where}."
    what = "copies" if Caveat.SAME_IMAGES_ONLY in caveats and not weaker else "matches"
    return f"No {what} found in {where}."


def nothing_visible(where: str) -> str:
    """Return that there is nothing to show to these readers; it neither confirms nor denies that anything is hidden."""
    return f"Nothing in {where} that I can show here."


NOTHING_TO_SHARE = "Nothing that I can show here. I posted nothing in the channel."
"""The sharer alone gets it if the channel may see none of the matches."""


def database_empty(database: DatabaseName) -> str:
    """Return that a database has nothing to compare a picture with."""
    return f"No images in {database_code(database)} yet, so there's nothing to compare with."


def lead(best: Verdict, *, is_sure: bool) -> str:
    """Return the answer in words. ``is_sure``: the readers see, or know of, every match."""
    return UNSURE_LEAD if best is Verdict.UNLIKELY and not is_sure else LEADS[best]


def summary(info: DatabaseInfo, lead_text: str, start: int, shown: int, total: int) -> str:
    """Return the first line of a page of results: on the first page, the answer in words.

    Args:
        info: the searched database.
        lead_text: the answer in words.
        start: number of matches on earlier pages.
        shown: number of matches on this page.
        total: number of matches on all pages.

    """
    where = database_size(info)
    if not shown:
        return f"No more matches in {where}."
    if start:
        which = f"Match {start + 1}" if shown == 1 else f"Matches {start + 1} to {start + shown}"
        return f"*{which} of {total}* in {where}"
    which = "" if total == 1 else f"  ·  {total} matches"
    if shown < total:
        which = f"  ·  best of {total} matches" if shown == 1 else f"  ·  top {shown} of {total} matches"
    return f"*{lead_text}* in {where}{which}"


def pictures_summary(
    pictures: int, found: int, similar: int, databases: Sequence[DatabaseInfo], *, is_sure: bool
) -> str:
    """Return the first line of an answer for several pictures.

    Args:
        pictures: the number of pictures that were asked about.
        found: how many of them are in a database, as a copy or as the same item.
        similar: how many of the others have something similar.
        databases: the databases that were searched.
        is_sure: whether the others have no match at all, as far as these readers may know.

    """
    if not databases:
        return f"*Couldn't look up any of the {count(pictures, 'picture')}*"
    where = ", ".join(map(database_size, databases[:MAX_DATABASES_NAMED]))
    more = ", …" if len(databases) > MAX_DATABASES_NAMED else ""
    if is_sure:
        also = f", {similar} similar," if similar else ""
        return f"*{found} of {pictures} found*{also} in {where}{more}"
    return f"*{count(pictures, 'picture')}*, {found + similar} with matches that I can show, in {where}{more}"


def further_in_answer(number: int) -> str:
    """Return how many matches of one picture of several are not shown."""
    return count(number, "more match", "more matches")


def matches_cut(left_out: int) -> str:
    """Return how many matches didn't fit into the message."""
    return f"{count(left_out, 'more match', 'more matches')} didn't fit here."


def pictures_continued(first: int, total: int) -> str:
    """Return the first line of a further message about several pictures, which starts with picture ``first``."""
    which = f"Picture {first}" if first == total else f"From picture {first} on"
    return f"*{which}*, of {total}"


def short_picture_title(number: int, name: str, link: str = "") -> str:
    """Return the first line about one picture of many; ``name`` is its file name as code, or empty."""
    return "  ·  ".join(filter(None, (f"*Picture {number}*  {name}".rstrip(), link)))


def weaker_hidden(number: int) -> str:
    """Return how many matches are below the minimum score."""
    return f"{count(number, 'weaker match', 'weaker matches')} hidden."


def private_hidden(number: int, *, one_reader: bool) -> str:
    """Return how many matches come from conversations that these readers can't see."""
    readers = "you" if one_reader else "not everyone here"
    verb = "is" if number == 1 else "are"
    conversations = "a conversation" if number == 1 else "conversations"
    cannot = "can't" if one_reader else "can"
    return f"{count(number, 'more match', 'more matches')} {verb} from {conversations} that {readers} {cannot} see."


def from_earlier_search(cached_at: datetime) -> str:
    """Return how old the results are."""
    return f"As of {ago_text(cached_at)}."


def shared_by(mention: str) -> str:
    """Return who let the channel see the results; ``mention`` is theirs."""
    return f"Shared by {mention}"


def asked_with(name: str, link: str) -> str:
    """Return which picture was searched with: its name as code, and an escaped link to it. Either may be empty."""
    linked = f"<{link}|{ASKED_PICTURE}>" if link else ""
    return "  ·  ".join(filter(None, (f"asked about {name}" if name else "", linked)))


ASKED_PICTURE = "the picture"
"""The text of the link to the picture that was searched with."""

ASKED_PICTURE_ALT = "The picture that was searched with"
