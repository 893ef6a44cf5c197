"""State that buttons and modals carry in Slack, so that they work at any time and in any process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from bot.blocks.limits import OPTION_VALUE, length
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.errors import InvalidInput
from bot.domain.matches import PictureRegion

MAX_BUTTON_VALUE = 2000
MAX_METADATA = 3000

PART_SCALE = 1000
"""Parts of pictures are carried in thousandths."""

MAX_NUMBER = 1_000_000
"""The bot writes no larger number, and SQLite takes none beyond 64 bits."""


WITH_TEXT, WITHOUT_TEXT = "yes", "no"
"""Values of ``SearchState.text``. Further pages of an answer must have the order of the first one."""


@dataclass(frozen=True, slots=True)
class InteractionState:
    """Base of states: fields of type str, int, float or bool, encoded as compact JSON."""

    def encode(self, max_length: int = MAX_BUTTON_VALUE) -> str | None:
        """Return the fields that differ from their defaults as JSON; None if Slack takes no text of that length."""
        defaults = type(self)()
        given = {name: value for name, value in asdict(self).items() if value != getattr(defaults, name)}
        text = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
        return text if len(text.encode("utf-16-le", "surrogatepass")) // 2 <= max_length else None

    @classmethod
    def decode(cls, text: object) -> Self:
        """Read an encoded state. Raises InvalidInput for anything that ``encode`` did not write."""
        try:
            given: Any = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, dict):
            raise InvalidInput(STALE_BUTTON)
        defaults = cls()
        try:
            # JSON has only one type of number.
            values = {name: type(getattr(defaults, name))(value) for name, value in given.items()}
            read = cls(**values)
        except (AttributeError, ValueError, TypeError, OverflowError):
            raise InvalidInput(STALE_BUTTON) from None
        # Written this way, the check refuses NaN too.
        if not all(abs(value) <= MAX_NUMBER for value in values.values() if isinstance(value, int | float)):
            raise InvalidInput(STALE_BUTTON)
        return read


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


_SAME_THREAD = "="


def encode_option(action: str, search: SearchState) -> str | None:
    """Return a search and what to do with it as the value of a menu's option; None if it is too long for one.

    It lacks the file's name, which is only for people.
    """
    thread = _SAME_THREAD if search.thread and search.thread == search.message else search.thread
    numbers = (f"{search.top}", f"{search.minimum:g}", f"{search.offset}")
    # The URL comes last because it may contain the separator.
    place = (search.file, search.channel, search.message, thread, search.database)
    fields = (*place, *numbers, search.part, search.text, search.url)
    text = "|".join((action, *fields))
    return text if length(text) <= OPTION_VALUE else None


def decode_option(text: str) -> tuple[str, SearchState]:
    """Read what ``encode_option`` wrote. Raises InvalidInput."""
    try:
        action, file, channel, message, thread, database, top, minimum, offset, part, words, url = text.split("|", 11)
        search = SearchState(
            file=file,
            url=url,
            channel=channel,
            message=message,
            thread=message if thread == _SAME_THREAD else thread,
            database=database,
            top=int(top),
            minimum=float(minimum),
            offset=int(offset),
            part=part,
            text=words,
        )
    except (ValueError, OverflowError):
        raise InvalidInput(STALE_BUTTON) from None
    if not all(abs(number) <= MAX_NUMBER for number in (search.top, search.minimum, search.offset)):
        raise InvalidInput(STALE_BUTTON)
    return action, search


@dataclass(frozen=True, slots=True)
class FormInput(InteractionState):
    """What somebody had entered into a form that failed after it was closed, for the button that opens it again.

    Attributes:
        view: the form's ``ViewId``.
        url: the image URL.
        database: the chosen database.
        words: the words by which images are found.
        top: the number of matches to show.
        for_everyone: whether the whole channel sees the results.
        entity: the id for the images.
        note: their note.
        searches: the files, as ``encode_searches`` returns them.

    """

    view: str = ""
    url: str = ""
    database: str = ""
    words: str = ""
    top: int = 5
    for_everyone: bool = False
    entity: str = ""
    note: str = ""
    searches: str = ""


NOTHING_ENTERED = FormInput()


@dataclass(frozen=True, slots=True)
class AddState(InteractionState):
    """Pictures of one message, or one of a URL, that a button adds.

    Attributes:
        files: the Slack files, separated by commas; empty for a URL.
        url: the image URL; empty for files.
        channel: where the picture was shared; empty for an upload in a modal.
        message: timestamp of the message that shared it; empty for an upload in a modal.
        database: the database to add to; empty if people have to choose one.
        entity: the id to give; empty for one made from the file's name.
        note: the note to give.
        author: whose picture it is. Others need to see where it was shared.
        renames: whether the picture was added under its file's name, which the id replaces.
        stays: whether the button's message has other questions, so that the answer must not replace it.

    """

    files: str = ""
    url: str = ""
    channel: str = ""
    message: str = ""
    database: str = ""
    entity: str = ""
    note: str = ""
    author: str = ""
    renames: bool = False
    stays: bool = False

    @property
    def pictures(self) -> list[SearchState]:
        """The pictures, as searches. Names are not carried: Slack knows them."""
        one = SearchState(url=self.url, channel=self.channel, message=self.message, database=self.database)
        return [replace(one, file=file) for file in self.files.split(",")] if self.files else [one]


@dataclass(frozen=True, slots=True)
class ListState(InteractionState):
    """A page of a listing; ``offset`` is the number of images on earlier pages."""

    database: str = ""
    prefix: str = ""
    order: str = "desc"
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FindState(InteractionState):
    """A page of what was found by words; ``database`` may stand for all, ``offset`` is the number on earlier pages."""

    words: str = ""
    database: str = ""
    top: int = 8
    offset: int = 0


@dataclass(frozen=True, slots=True)
class EntityState(InteractionState):
    """An entity of a database that a button deletes or shows.

    ``mark`` is the catalogue's mark when a button that deletes was shown. ``offset`` is the number of photos on earlier
    pages.
    """

    database: str = ""
    entity: str = ""
    mark: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ImageState(InteractionState):
    """An image of a database that a button edits or deletes; ``image`` is its data id."""

    database: str = ""
    image: str = ""


def encode_image_option(action: str, image: ImageState) -> str | None:
    """Return an image and what to do with it as the value of a menu's option; None if it is too long for one."""
    text = f"{action}|{image.database}|{image.image}"
    return text if length(text) <= OPTION_VALUE else None


def decode_image_option(text: str) -> tuple[str, ImageState]:
    """Read what ``encode_image_option`` wrote. Raises InvalidInput."""
    try:
        action, database, image = text.split("|", 2)
    except ValueError:
        raise InvalidInput(STALE_BUTTON) from None
    return action, ImageState(database=database, image=image)


@dataclass(frozen=True, slots=True)
class MergeState(InteractionState):
    """An entity of a database whose images get another id."""

    database: str = ""
    entity: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class NameState(InteractionState):
    """The database or the channel that a button is about."""

    database: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class CommandState(InteractionState):
    """The text of a command that a button runs, without ``/vsearch``."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class FormState(InteractionState):
    """Where a modal was opened, and what it is about.

    Attributes:
        response_url: answers may go here.
        channel: where it was opened; empty in App Home.
        channel_kind: the channel's ``ChannelKind``.
        thread: timestamp of the thread that answers go into.
        database: the database to use if the form names none.
        state: encoded ``SearchState``s, as ``encode_searches`` returns them.
        home: whether it was opened in App Home.
        binds: a channel that will use the database that the form creates.
        mark: the catalogue's mark of the database that the form deletes, when it was opened.
        image: the data id of the image that the form edits.

    """

    response_url: str = ""
    channel: str = ""
    channel_kind: str = ""
    thread: str = ""
    database: str = ""
    state: str = ""
    home: bool = field(default=False)
    binds: str = ""
    mark: str = ""
    image: str = ""
