"""What one reader sees of all databases at once: how many images, a picture of each, and what is new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.domain.catalogue import DatabaseInfo, ImageRecord, Moment, NewImages
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import DatabaseName
from bot.services.access.channel_access import AccessCheck, ChannelDirectory
from bot.services.access.privacy import MAX_CHANNELS_COUNTED, PrivacyService
from bot.storage.ports.home import DatabasesSeen, HomeRecords

FIRST_VISIT = timedelta(days=7)
"""What is new to somebody who hasn't opened App Home before."""

MAX_ROUNDS = 4
"""Readings, of which each leaves out the channels that were closed meanwhile. The last one uses no unknown channel."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What a reader sees of some databases.

    Attributes:
        databases: the databases, with the number of images that the reader may know of.
        newest: the newest image of each that the reader sees, with only what they may see of it.
        since: the moment since when images are new; without an origin at somebody's first visit.
        news: what is new.
        news_cut: whether there is more.
        unread: the number of images whose text is still to be read.
        unprepared: the number of images that can't be recognised in other photos yet.
        moment: the state of the catalogue that was read.

    """

    databases: tuple[DatabaseInfo, ...]
    newest: Mapping[DatabaseName, ImageRecord]
    since: Moment
    news: tuple[NewImages, ...]
    news_cut: bool
    unread: int
    unprepared: int
    moment: Moment


class OverviewService:
    """Reads all databases for one reader, with the same number of statements however many they are.

    Args:
        records: what the storage knows of many databases.
        privacy: filters images.
        guests_see_imports: whether guests may see images that came from no conversation.
        reads_texts: whether text in pictures is read at all.
        clock: the time.
    """

    def __init__(
        self,
        records: HomeRecords,
        privacy: PrivacyService,
        *,
        guests_see_imports: bool = False,
        reads_texts: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = records
        self._privacy = privacy
        self._guests_see_imports = guests_see_imports
        self._reads_texts = reads_texts
        self._clock = clock

    async def of(
        self, infos: Sequence[DatabaseInfo], audience: Audience, channels: ChannelDirectory, since: Moment | None
    ) -> Overview:
        """Return what the reader sees of databases of their workspace. ``since`` is None at their first visit."""
        since = since or Moment(self._clock() - FIRST_VISIT)
        check = AccessCheck(audience, channels, guests_see_imports=self._guests_see_imports)
        names = [info.key.name for info in infos]
        kinds = _kinds(await self._records.channels(audience.workspace, names))
        visible = (await check.access(kinds, stored_kinds_suffice=True)).visible
        assumed = {channel for channel in visible.channels if kinds.get(channel) is ChannelKind.PUBLIC}
        for rounds_left in reversed(range(MAX_ROUNDS)):
            seen = await self._records.databases_seen(audience.workspace, names, visible, since)
            used = _channels_of(seen) & assumed
            closed = used - await _readable(check, used)
            if not closed:
                break
            # These were public when the images were added.
            assumed -= used
            visible = replace(visible, channels=visible.channels - (closed if rounds_left > 1 else closed | assumed))
        shown = await self._privacy.shown(seen.newest.values(), audience, channels)
        return Overview(
            tuple(_sized(info, seen.hidden) for info in infos),
            {name: shown[record.data_id] for name, record in seen.newest.items() if record.data_id in shown},
            since,
            seen.news,
            seen.news_cut,
            seen.unread if self._reads_texts else 0,
            seen.unprepared,
            seen.moment,
        )


def _kinds(stored: Sequence[tuple[str, ChannelKind]]) -> dict[str, ChannelKind]:
    """Return conversations with stored kinds. One that was ever closed is looked up, if they are not too many."""
    kinds = dict(stored) | {channel: kind for channel, kind in stored if kind is not ChannelKind.PUBLIC}
    closed = sorted(channel for channel, kind in kinds.items() if channel and kind is not ChannelKind.PUBLIC)
    unknown = frozenset(closed[MAX_CHANNELS_COUNTED:])
    return {channel: kind for channel, kind in kinds.items() if channel not in unknown}


def _channels_of(seen: DatabasesSeen) -> set[str]:
    """Return the conversations that the newest images and the news came from."""
    origins = [origin for record in seen.newest.values() for origin in record.origins]
    return {origin.slack.channel for origin in origins if origin.slack} | {group.channel for group in seen.news}


async def _readable(check: AccessCheck, channels: set[str]) -> frozenset[str]:
    """Return which of the channels that were public the reader can read now."""
    access = await check.access(dict.fromkeys(channels, ChannelKind.PUBLIC)) if channels else None
    return access.visible.channels if access else frozenset()


def _sized(info: DatabaseInfo, hidden: Mapping[DatabaseName, int]) -> DatabaseInfo:
    """Return the database with the images that the reader may know of: all, if it hints at hidden ones."""
    if info.hints_at_hidden:
        return info
    return replace(info, images=max(0, info.images - hidden.get(info.key.name, 0)))
