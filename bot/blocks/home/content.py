"""What App Home shows, and the sections that it is built from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.blocks.limits import Block
from bot.blocks.messages.image_details import PictureRef
from bot.domain.catalogue import DatabaseInfo, ImageRecord, NewImages
from bot.domain.channels import ChannelBinding
from bot.domain.channels.feedback import LearnedScores
from bot.domain.identifiers import DatabaseName, DataId
from bot.domain.jobs import ChannelJobs


@dataclass(frozen=True, slots=True)
class News:
    """New images that the person sees: since their last visit, or of some days at their first."""

    since: datetime
    groups: tuple[NewImages, ...] = ()
    is_cut: bool = False
    is_first_visit: bool = False


@dataclass(frozen=True, slots=True)
class NotAdded:
    """A shared file that could not be added: its name, who shared it, when and where, and a sentence that says why.

    ``link`` is the permalink of the message; empty if that is unknown.
    """

    name: str
    author: str
    channel: str
    shared_at: datetime
    reason: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What waits or failed, as far as the person may know of it.

    Attributes:
        channels: messages with images, by channel.
        imports: tables that are being imported, each with its channel.
        unread: the number of images whose text is still to be read.
        unprepared: the number of images that can't be recognised in other photos yet.
        failing_removals: deletions that failed and are tried again; admins alone know of them.
        counted: the number up to which images are counted.
        refused: the newest shared files that could not be added, newest first.
        refused_total: the number of all of them.

    """

    channels: tuple[ChannelJobs, ...] = ()
    imports: tuple[tuple[str, str], ...] = ()
    unread: int = 0
    unprepared: int = 0
    failing_removals: int = 0
    counted: int = 1000
    refused: tuple[NotAdded, ...] = ()
    refused_total: int = 0


@dataclass(frozen=True, slots=True)
class HomeContent:
    """What App Home shows to one person.

    Attributes:
        databases: the databases that the person may know of, with the images that they may know of.
        bindings: the settings of channels that the person can read.
        backend: the name of the search back end.
        problem: what is wrong with the search back end; empty if it works.
        changeable: the databases that the person may change or delete; None stands for all.
        changeable_channels: the channels whose settings the person may change; None stands for all.
        newest: the newest image of each database that the person sees.
        pictures: where Slack gets these images from. Pictures without an address are left out.
        news: what is new; None if that is unknown.
        work: what waits or failed.
        is_guest: whether the person may know only some of the databases.
        learned: what databases learned that the person may change.

    """

    databases: tuple[DatabaseInfo, ...]
    bindings: tuple[ChannelBinding, ...]
    backend: str
    problem: str = ""
    changeable: Collection[str] | None = None
    changeable_channels: Collection[str] | None = None
    newest: Mapping[DatabaseName, ImageRecord] = field(default_factory=dict)
    pictures: Mapping[DataId, PictureRef] = field(default_factory=dict)
    news: News | None = None
    work: OpenWork = field(default_factory=OpenWork)
    is_guest: bool = False
    learned: Mapping[DatabaseName, LearnedScores] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """The number of images in all databases."""
        return sum(info.images for info in self.databases)


def _no_text(_: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of App Home: what is always shown, and entries of which some may be left out.

    ``left_out`` says how many entries are not shown.
    """

    head: tuple[Block, ...] = ()
    entries: tuple[tuple[Block, ...], ...] = ()
    left_out: Callable[[int], str] = _no_text


BuildSection = Callable[[HomeContent], Section]
"""Returns a part of App Home; an empty section is left out. To extend App Home, add one to ``view.SECTIONS``."""
