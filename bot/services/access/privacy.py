"""Privacy: show an image from a conversation only to people who can read that conversation."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from bot.domain.catalogue import ImageRecord
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import DataId
from bot.services.search.search import SearchResult

log = logging.getLogger(__name__)

CONCURRENCY = 8
"""Channels that one answer looks up in Slack at the same time."""

_KINDS_STRICTEST_FIRST = (ChannelKind.SHARED, ChannelKind.PRIVATE, ChannelKind.DIRECT, ChannelKind.PUBLIC)


class ChannelDirectory(Protocol):
    """Looks up the channels of one workspace in Slack.

    Methods may raise any exception. PrivacyService then treats the conversation as unreadable.
    """

    async def kind(self, channel: str, known: ChannelKind) -> ChannelKind:
        """Return who can read the conversation now. ``known`` is the kind stored when an image of it was added."""
        ...

    async def can_read(self, channel: str, user: str) -> bool:
        """Return whether the user can read the conversation."""
        ...


class PrivacyService:
    """Filters images for an audience. An image whose visibility is unknown is hidden."""

    async def visible(
        self, records: Iterable[ImageRecord | None], audience: Audience, channels: ChannelDirectory
    ) -> frozenset[DataId]:
        """Return the ids of the images that everyone in the audience may see.

        A record of None stands for an image that the catalogue doesn't have. It is never visible.
        """
        shown: set[DataId] = set()
        undecided: defaultdict[str, list[ImageRecord]] = defaultdict(list)
        for record in records:
            if record is None:
                continue
            decision = _visible_by_record(record, audience)
            if decision:
                shown.add(record.data_id)
            elif decision is None and record.origin:
                undecided[record.origin.channel].append(record)
        if undecided:
            check = _VisibilityCheck(audience, channels)
            for data_ids in await asyncio.gather(*(check.visible(*group) for group in undecided.items())):
                shown.update(data_ids)
            check.report()
        return frozenset(shown)

    async def for_audience(self, result: SearchResult, audience: Audience, channels: ChannelDirectory) -> SearchResult:
        """Return the result with only the matches that the audience may see, ranked from 1.

        If the database hints at hidden images, the result counts them and all weaker matches. Otherwise ``hidden`` is
        0, and ``weaker`` counts only weaker matches that the catalogue shows to be visible.
        """
        hints = result.database.hints_at_hidden
        shown = await self.visible((ranked.record for ranked in result.matches), audience, channels)
        kept = [ranked for ranked in result.matches if ranked.record and ranked.record.data_id in shown]
        known = [ranked for ranked in result.matches if ranked.record]
        apparent = tuple(record for record in result.weaker_records if _visible_by_catalogue(record, audience))
        return replace(
            result,
            matches=tuple(replace(ranked, rank=rank) for rank, ranked in enumerate(kept, start=1)),
            weaker=result.weaker if hints else len(apparent),
            weaker_records=apparent,
            hidden=result.hidden + len(known) - len(kept) if hints else 0,
        )


class _VisibilityCheck:
    """Looks up channels for one answer. A look-up that fails hides the channel's images."""

    def __init__(self, audience: Audience, channels: ChannelDirectory) -> None:
        self._audience = audience
        self._channels = channels
        # Slack limits the rate of calls, and an answer may show images from 50 channels.
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._failures: list[Exception] = []

    async def visible(self, channel: str, records: Sequence[ImageRecord]) -> list[DataId]:
        """Return the ids of the images from this channel that the audience may see."""
        async with self._slots:
            try:
                kind = await self._kind(channel, records)
            except Exception as error:  # noqa: BLE001 - no failure may reveal a private image
                self._failures.append(error)
                return []
            shown = [record.data_id for record in records if _visible_by_kind(kind, record, self._audience)]
            if len(shown) < len(records) and self._audience.is_one_person and await self._can_read(channel):
                shown = [record.data_id for record in records]
            return shown

    async def _kind(self, channel: str, records: Sequence[ImageRecord]) -> ChannelKind:
        kinds = {record.origin.kind for record in records if record.origin}
        known = next(kind for kind in _KINDS_STRICTEST_FIRST if kind in kinds)
        # An image uploaded in a modal has no channel.
        return await self._channels.kind(channel, known) if channel else known

    async def _can_read(self, channel: str) -> bool:
        try:
            return bool(channel) and await self._channels.can_read(channel, self._audience.user)
        except Exception as error:  # noqa: BLE001 - as above
            self._failures.append(error)
            return False

    def report(self) -> None:
        """Log failed look-ups, once for the whole answer."""
        if self._failures:
            log.warning(
                "%s channel look-ups failed, so images from those channels are hidden",
                len(self._failures),
                exc_info=self._failures[0],
            )


def _visible_by_record(record: ImageRecord, audience: Audience) -> bool | None:
    """Return whether the image may be shown, or None if that depends on the image's conversation."""
    if record.database.workspace != audience.workspace:
        return False
    # Members of other organisations read answers in a shared channel.
    has_outsiders = audience.kind is ChannelKind.SHARED and not audience.is_one_person
    if record.origin is None:
        return not has_outsiders
    if record.origin.channel and record.origin.channel == audience.channel:
        return True
    return False if has_outsiders else None


def _visible_by_kind(kind: ChannelKind, record: ImageRecord, audience: Audience) -> bool:
    """Return whether an image from another conversation of this kind may be shown without a membership check."""
    if kind is ChannelKind.PUBLIC:
        return True
    return kind is ChannelKind.DIRECT and audience.is_one_person and record.added_by == audience.user


def _visible_by_catalogue(record: ImageRecord, audience: Audience) -> bool:
    """Return whether the catalogue alone shows that the image is visible. Counts don't justify calls to Slack."""
    decision = _visible_by_record(record, audience)
    if decision is None and record.origin:
        return _visible_by_kind(record.origin.kind, record, audience)
    return bool(decision)
