"""Privacy: show an image through those of its origins that its readers can see in Slack, and count nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.channels import Audience, ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DataId, EntityId
from bot.services.access.channel_access import AccessCheck, ChannelAccess, ChannelDirectory
from bot.services.search.all_databases import merged
from bot.services.search.grouping import ranked
from bot.services.search.search import MAX_HIDDEN
from bot.services.search.search_result import SearchResult

MAX_CHANNELS_COUNTED = 100
"""Closed conversations that are looked up in Slack for a count. Images of further ones are not counted."""

_KINDS_STRICTEST_FIRST = (ChannelKind.SHARED, ChannelKind.PRIVATE, ChannelKind.DIRECT, ChannelKind.PUBLIC)


class OriginCatalogue(Protocol):
    """The part of the catalogue that knows where a database's images came from."""

    async def origin_channels(self, key: DatabaseKey) -> tuple[tuple[str, ChannelKind], ...]:
        """Return the conversations that images came from, with stored kinds. An empty id stands for none."""
        ...

    async def count_hidden(self, key: DatabaseKey, visible: VisibleOrigins) -> int:
        """Return how many images of a database have no visible origin."""
        ...

    async def hidden_images(self, key: DatabaseKey, visible: VisibleOrigins, limit: int) -> frozenset[DataId]:
        """Return up to ``limit`` images of a database that have no visible origin."""
        ...

    async def of_entity(self, key: DatabaseKey, entity: EntityId, *, or_given: bool = False) -> tuple[ImageRecord, ...]:
        """Return the images of an entity, oldest first, and with ``or_given`` those once given it."""
        ...


class PrivacyService:
    """Filters images and counts for an audience. An image whose visibility is unknown is hidden.

    Args:
        catalogue: The catalogue.
        guests_see_imports: Whether guests may see images that came from no conversation, such as imported ones.
    """

    def __init__(self, catalogue: OriginCatalogue, *, guests_see_imports: bool = False) -> None:
        self._catalogue = catalogue
        self._guests_see_imports = guests_see_imports

    async def shown(
        self, records: Iterable[ImageRecord | None], audience: Audience, channels: ChannelDirectory
    ) -> Mapping[DataId, ImageRecord]:
        """Return the images that everyone in the audience may see, with only the origins that they may see.

        A record of None stands for an image that the catalogue doesn't have. It is never visible.
        """
        known = [record for record in records if record and record.database.workspace == audience.workspace]
        check = self._check(audience, channels)
        seen = _seen(known, await check.access(_kinds_of(known)))
        respelled = [record for record in known if _is_respelled(record, seen.get(record.data_id))]
        for record in respelled:
            # The database's spelling counts for readers who see an image that is written so.
            others = await self._catalogue.of_entity(record.database, record.entity, or_given=True)
            visible = _seen(others, await check.access(_kinds_of(others)))
            if any(other.entity == record.entity for other in visible.values()):
                seen[record.data_id] = replace(seen[record.data_id], entity=record.entity)
        return seen

    async def sees_channel(
        self, audience: Audience, channels: ChannelDirectory, channel: str, kind: ChannelKind
    ) -> bool:
        """Return whether everyone in the audience may see what comes from a channel of a kind."""
        return channel in (await self._check(audience, channels).access({channel: kind})).visible.channels

    async def hidden(self, key: DatabaseKey, audience: Audience, channels: ChannelDirectory) -> frozenset[DataId]:
        """Return images of a database that are hidden from the audience: all of them, or none if there are too many.

        Channels that are looked up in Slack only when an image of them is found don't count as hidden.
        """
        access, unknown = await self._access_to(key, audience, channels)
        found = await self._catalogue.hidden_images(
            key, replace(access, channels=access.channels | unknown), MAX_HIDDEN + 1
        )
        return found if len(found) <= MAX_HIDDEN else frozenset()

    async def visible_origins(self, key: DatabaseKey, audience: Audience, channels: ChannelDirectory) -> VisibleOrigins:
        """Return which of a database's origins the audience may see, by stored kinds where a channel was public."""
        return (await self._access_to(key, audience, channels))[0]

    async def known_size(self, info: DatabaseInfo, audience: Audience, channels: ChannelDirectory) -> DatabaseInfo:
        """Return the database with the number of images that the audience may know of.

        If the database hints at hidden images, these are all of its images.
        """
        if info.hints_at_hidden or not info.images:
            return info
        visible = await self.visible_origins(info.key, audience, channels)
        return replace(info, images=max(0, info.images - await self._catalogue.count_hidden(info.key, visible)))

    async def for_audience(
        self, results: Sequence[SearchResult], audience: Audience, channels: ChannelDirectory
    ) -> tuple[SearchResult, ...]:
        """Return the results with only the matches that the audience may see, ranked from 1.

        If the database hints at hidden images, a result counts them and all weaker matches. Otherwise ``hidden`` is 0,
        and ``weaker`` counts only weaker matches that the catalogue shows to be visible.
        """
        # The results of one message are nearly always about one database.
        databases = dict.fromkeys(result.database for result in results if not result.parts)
        known = {database: await self.known_size(database, audience, channels) for database in databases}
        return tuple(
            [
                await self._filtered_parts(result, audience, channels)
                if result.parts
                else await self._filtered(result, known[result.database], audience, channels)
                for result in results
            ]
        )

    async def _filtered_parts(
        self, result: SearchResult, audience: Audience, channels: ChannelDirectory
    ) -> SearchResult:
        """Return the result of several databases with only what each of them may show."""
        return merged(await self.for_audience(result.parts, audience, channels), result.missing)

    async def _filtered(
        self, result: SearchResult, database: DatabaseInfo, audience: Audience, channels: ChannelDirectory
    ) -> SearchResult:
        """Return a result without hidden matches. ``database`` has the number of images that the audience may know."""
        hints = result.database.hints_at_hidden
        records = (image.record for match in result.matches for image in match.images)
        shown = await self.shown(records, audience, channels)
        seen = [match.visible(shown) for match in result.matches]
        kept = [match for matches in seen for match in matches]
        kept.sort(key=lambda match: -match.match.score)
        known = [match for match in result.matches if any(image.record for image in match.images)]
        apparent = await self._apparent(result.weaker_records, audience, channels)
        hidden = result.hidden + len(known) - sum(bool(matches) for matches in seen)
        return replace(
            result,
            database=database,
            matches=ranked(kept),
            weaker=result.weaker if hints else len(apparent),
            weaker_records=apparent,
            hidden=hidden if hints else 0,
            hides_images=not hints and (hidden > 0 or database.images < result.database.images),
        )

    async def _apparent(
        self, records: Sequence[ImageRecord], audience: Audience, channels: ChannelDirectory
    ) -> tuple[ImageRecord, ...]:
        """Return the images that stored kinds show to be visible. Counts don't justify a look-up of each channel."""
        known = [record for record in records if record.database.workspace == audience.workspace]
        kinds = _kinds_of(known)
        public = {channel: kind for channel, kind in kinds.items() if kind is ChannelKind.PUBLIC}
        access = await self._check(audience, channels).access(public, stored_kinds_suffice=True)
        direct = frozenset(channel for channel, kind in kinds.items() if kind is ChannelKind.DIRECT)
        seen = _seen(known, replace(access, direct=direct))
        return tuple(seen[record.data_id] for record in known if record.data_id in seen)

    async def _access_to(
        self, key: DatabaseKey, audience: Audience, channels: ChannelDirectory
    ) -> tuple[VisibleOrigins, frozenset[str]]:
        """Return which origins of a database are visible, and the conversations that were not looked up."""
        stored: dict[str, ChannelKind] = {}
        for channel, kind in await self._catalogue.origin_channels(key):
            stored[channel] = _strictest(stored.get(channel, kind), kind)
        closed = [channel for channel, kind in stored.items() if channel and kind is not ChannelKind.PUBLIC]
        unknown = frozenset(closed[MAX_CHANNELS_COUNTED:])
        kinds = {channel: kind for channel, kind in stored.items() if channel not in unknown}
        access = await self._check(audience, channels).access(kinds, stored_kinds_suffice=True)
        return access.visible, unknown

    def _check(self, audience: Audience, channels: ChannelDirectory) -> AccessCheck:
        return AccessCheck(audience, channels, guests_see_imports=self._guests_see_imports)


def _kinds_of(records: Iterable[ImageRecord]) -> dict[str, ChannelKind]:
    """Return the stored kinds of all conversations that images came from; an empty id stands for none."""
    kinds: dict[str, ChannelKind] = {}
    for record in records:
        for origin in record.origins:
            channel, kind = (origin.slack.channel, origin.slack.kind) if origin.slack else ("", ChannelKind.PUBLIC)
            kinds[channel] = _strictest(kinds.get(channel, kind), kind)
    return kinds


def _is_respelled(record: ImageRecord, seen: ImageRecord | None) -> bool:
    """Return whether an image is seen under its id in another spelling than the database's."""
    return seen is not None and seen.entity != record.entity and seen.entity.is_same(record.entity)


def _strictest(*kinds: ChannelKind) -> ChannelKind:
    return min(kinds, key=_KINDS_STRICTEST_FIRST.index)


def _seen(records: Iterable[ImageRecord], access: ChannelAccess) -> dict[DataId, ImageRecord]:
    seen: dict[DataId, ImageRecord] = {}
    for record in records:
        if origins := [origin for origin in record.origins if access.shows(origin)]:
            seen[record.data_id] = record.seen_through(origins)
    return seen
