"""Texts of search results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.blocks.limits import escape
from bot.blocks.mrkdwn import count, database_code, database_size, score_text, time_text
from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import DatabaseName
from bot.domain.matches import Caveat, Match, PictureRegion, TextAgreement

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

MAX_DATABASES_NAMED = 3

_WHOLE_SIDE = 0.8
"""Share of a side from which a part takes all of it."""
_FIRST_THIRD, _LAST_THIRD = 0.4, 0.6
"""Where the middle of a part lies that is called the left or the right one."""


CHOOSE_PART = "Which part should I search?"
CHOOSE_PART_ALT = "Your picture with numbered frames around its parts"


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


def summary(info: DatabaseInfo, start: int, shown: int, total: int) -> str:
    """Return the first line of a page of results.

    Args:
        info: the searched database.
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
    which = "Best match" if shown == 1 else f"Top {shown} matches"
    if shown < total:
        which = f"Best of {total} matches" if shown == 1 else f"Top {shown} of {total} matches"
    return f"*{which}* in {where}"


def pictures_summary(pictures: int, databases: Sequence[DatabaseName]) -> str:
    """Return the first line of an answer for several pictures; ``databases`` are those that were searched."""
    if not databases:
        return f"*Couldn't look up any of the {count(pictures, 'picture')}*"
    where = ", ".join(f"`{name}`" for name in databases[:MAX_DATABASES_NAMED])
    more = ", …" if len(databases) > MAX_DATABASES_NAMED else ""
    return f"*{count(pictures, 'picture')}* looked up in {where}{more}"


def picture_title(number: int, name: str) -> str:
    """Return the heading of one picture of several; its file name may be unknown."""
    return f"{number}. {name}" if name else f"Picture {number}"


def matches_cut(left_out: int) -> str:
    """Return how many matches didn't fit into the message."""
    return f"{count(left_out, 'more match', 'more matches')} didn't fit here."


def pictures_continued(first: int, total: int) -> str:
    """Return the first line of a further message about several pictures, which starts with picture ``first``."""
    which = f"Picture {first}" if first == total else f"From picture {first} on"
    return f"*{which}*, of {total}"


def short_picture_title(number: int, name: str) -> str:
    """Return the first line about one picture of many; ``name`` is its file name as code, or empty."""
    return f"*Picture {number}*  {name}".rstrip()


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
    """Return that the results are not fresh."""
    return f"From an earlier search at {time_text(cached_at)}."


def shared_by(mention: str) -> str:
    """Return who let the channel see the results; ``mention`` is theirs."""
    return f"Shared by {mention}"
