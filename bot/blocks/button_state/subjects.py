"""What a button adds, lists, changes or deletes: pictures, pages, images, entities, databases and channels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.blocks.button_state.base import InteractionState
from bot.blocks.button_state.searches import SearchState


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
class HistoryState(InteractionState):
    """The import of a channel's past pictures that a button pauses, resumes or stops."""

    number: int = 0


@dataclass(frozen=True, slots=True)
class CommandState(InteractionState):
    """The text of a command that a button runs, without ``/vsearch``."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class ReportState(InteractionState):
    """A guard's report. ``taken`` is the id of the action that a button undoes, ``image`` the data id to forget."""

    report: str = ""
    taken: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class FeedbackState(InteractionState):
    """What a press says about a match: whether it is right.

    Attributes:
        database: the match's database.
        image: its data id.
        print: the asked picture's fingerprint, in base64.
        score: the back end's score of the match.
        lead: how much higher that is than the next id's.
        verdict: its verdict.
        likeness: whether likeness alone gave the score.
        right: what the button says.
        file: the asked Slack file; empty if it can't be added.
        url: the asked image URL; empty for a file.
        channel: where the picture was shared.
        message: timestamp of the message that shared it.

    """

    database: str = ""
    image: str = ""
    print: str = ""
    score: float = 0.0
    lead: float = 0.0
    verdict: str = ""
    likeness: bool = False
    right: bool = False
    file: str = ""
    url: str = ""
    channel: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class LearningState(InteractionState):
    """What a database learned, by its number, which a button undoes."""

    database: str = ""
    learned: str = ""
