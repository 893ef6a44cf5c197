"""Who may see which image: a picture from a conversation is shown to those who can read it."""

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

_KINDS_STRICTEST_FIRST = (ChannelKind.SHARED, ChannelKind.PRIVATE, ChannelKind.DIRECT, ChannelKind.PUBLIC)


class ChannelDirectory(Protocol):
    """What Slack knows of the conversations of one workspace. May raise anything: then the answer counts as no."""

    async def kind(self, channel: str, known: ChannelKind) -> ChannelKind:
        """Who can read the conversation today; ``known`` is what it was when an image of it was added."""
        ...

    async def can_read(self, channel: str, user: str) -> bool:
        """Whether the person can read the conversation."""
        ...


class PrivacyService:
    """One rule, for every answer. Where in doubt, it hides."""

    async def visible(
        self, records: Iterable[ImageRecord | None], audience: Audience, conversations: ChannelDirectory
    ) -> frozenset[DataId]:
        """The images that all of the audience may see. None, for an image that the catalogue doesn't know, is not."""
        shown: set[DataId] = set()
        doubtful: defaultdict[str, list[ImageRecord]] = defaultdict(list)
        for record in records:
            if record is None:
                continue
            verdict = _without_asking(record, audience)
            if verdict:
                shown.add(record.data_id)
            elif verdict is None and record.origin:
                doubtful[record.origin.channel].append(record)
        if doubtful:
            inquiry = _VisibilityCheck(audience, conversations)
            for some in await asyncio.gather(*(inquiry.visible(*place) for place in doubtful.items())):
                shown.update(some)
            inquiry.report()
        return frozenset(shown)

    async def for_audience(
        self, result: SearchResult, audience: Audience, conversations: ChannelDirectory
    ) -> SearchResult:
        """The result as the audience may see it, ranked anew.

        What was hidden is counted only if the database hints at it; of the weaker matches, those that are plainly
        visible are counted else.
        """
        hints = result.database.hints_at_hidden
        shown = await self.visible((ranked.record for ranked in result.matches), audience, conversations)
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
    """The questions of one answer: each is asked once, and one that fails is answered no."""

    def __init__(self, audience: Audience, conversations: ChannelDirectory) -> None:
        self._audience = audience
        self._conversations = conversations
        # Slack limits how often it may be asked, and an answer may show images of fifty channels.
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._failures: list[Exception] = []

    async def visible(self, channel: str, records: Sequence[ImageRecord]) -> list[DataId]:
        """Those of one conversation's images that may be shown."""
        async with self._slots:
            try:
                kind = await self._kind(channel, records)
            except Exception as error:  # noqa: BLE001 - whatever it is, it may not show what is private
                self._failures.append(error)
                return []
            shown = [record.data_id for record in records if _visible_by_kind(kind, record, self._audience)]
            if len(shown) < len(records) and self._audience.is_one_person and await self._can_read(channel):
                shown = [record.data_id for record in records]
            return shown

    async def _kind(self, channel: str, records: Sequence[ImageRecord]) -> ChannelKind:
        kinds = {record.origin.kind for record in records if record.origin}
        known = next(kind for kind in _KINDS_STRICTEST_FIRST if kind in kinds)
        # What was dropped into a form was never in a conversation.
        return await self._conversations.kind(channel, known) if channel else known

    async def _can_read(self, channel: str) -> bool:
        try:
            return bool(channel) and await self._conversations.can_read(channel, self._audience.user)
        except Exception as error:  # noqa: BLE001 - as above
            self._failures.append(error)
            return False

    def report(self) -> None:
        """Log what failed, once for the whole answer."""
        if self._failures:
            log.warning(
                "Slack did not say who reads %s of the conversations: their images are hidden",
                len(self._failures),
                exc_info=self._failures[0],
            )


def _without_asking(record: ImageRecord, audience: Audience) -> bool | None:
    """Whether the image may be shown; None if that depends on the conversation that it is from."""
    if record.database.workspace != audience.workspace:
        return False
    # People of other organisations read the answer too.
    to_strangers = audience.kind is ChannelKind.SHARED and not audience.is_one_person
    if record.origin is None:
        return not to_strangers
    if record.origin.channel and record.origin.channel == audience.channel:
        return True
    return False if to_strangers else None


def _visible_by_kind(kind: ChannelKind, record: ImageRecord, audience: Audience) -> bool:
    """Whether an image from another conversation of this kind may be shown, whoever is in that conversation."""
    if kind is ChannelKind.PUBLIC:
        return True
    return kind is ChannelKind.DIRECT and audience.is_one_person and record.added_by == audience.user


def _visible_by_catalogue(record: ImageRecord, audience: Audience) -> bool:
    """Whether it may be shown as far as the catalogue tells: a mere count is worth no question to Slack."""
    verdict = _without_asking(record, audience)
    if verdict is None and record.origin:
        return _visible_by_kind(record.origin.kind, record, audience)
    return bool(verdict)
