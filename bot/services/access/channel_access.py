"""Which conversations an audience may see: looks up each in Slack once, and hides those of which it learns nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.domain.catalogue import Origin
from bot.domain.channels import Audience, ChannelKind, VisibleOrigins

log = logging.getLogger(__name__)

CONCURRENCY = 8
"""Channels that one answer looks up in Slack at the same time."""


class ChannelDirectory(Protocol):
    """Looks up the channels of one workspace in Slack.

    Methods may raise any exception. The conversation then counts as unreadable, or as one with guests.
    """

    async def kind(self, channel: str, known: ChannelKind) -> ChannelKind:
        """Return who can read the conversation now. ``known`` is the kind stored when an image of it was added."""
        ...

    async def can_read(self, channel: str, user: str) -> bool:
        """Return whether the user can read the conversation."""
        ...

    async def is_guest(self, user: str) -> bool:
        """Return whether the user is a guest, who can read only certain channels."""
        ...

    async def has_guests(self, channel: str) -> bool:
        """Return whether guests can read the conversation."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelAccess:
    """What an audience may see: ``visible`` origins. ``direct`` are the conversations that are direct messages."""

    visible: VisibleOrigins
    direct: frozenset[str] = frozenset()

    def shows(self, origin: Origin) -> bool:
        """Return whether everyone in the audience may see what came from this origin."""
        slack = origin.slack
        if slack is not None and slack.channel:
            own_message = slack.channel in self.direct and self._is_own(origin)
            return slack.channel in self.visible.channels or own_message
        # The first versions didn't store from where a form was opened.
        is_unknown = slack is not None and slack.kind is not ChannelKind.PUBLIC
        return (self.visible.without_channel and not is_unknown) or self._is_own(origin)

    def _is_own(self, origin: Origin) -> bool:
        return bool(self.visible.user) and origin.author == self.visible.user


class AccessCheck:
    """Decides what one audience may see.

    Args:
        audience: The readers.
        channels: The directory of their workspace.
        guests_see_imports: Whether guests may see images that came from no conversation.
    """

    def __init__(self, audience: Audience, channels: ChannelDirectory, *, guests_see_imports: bool) -> None:
        self._audience = audience
        self._channels = channels
        self._guests_see_imports = guests_see_imports
        # Slack limits the rate of calls, and an answer may show images from 50 channels.
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._failures: list[Exception] = []

    async def access(self, kinds: Mapping[str, ChannelKind], *, stored_kinds_suffice: bool = False) -> ChannelAccess:
        """Return what the audience may see of these conversations, given by id with their stored kinds.

        Empty ids stand for images from no conversation. With ``stored_kinds_suffice``, a conversation that was public
        counts as public without a look-up.
        """
        audience = self._audience
        own = audience.also | ({audience.channel} - {""})
        if audience.kind is ChannelKind.SHARED and not audience.is_one_person:
            # Members of other organisations read answers in a shared channel.
            return ChannelAccess(VisibleOrigins(own))
        others = {channel: kind for channel, kind in kinds.items() if channel and channel not in own}
        guests = bool(others or "" in kinds) and await self._guests()
        found = await asyncio.gather(
            *(self._look_up(channel, kind, guests, stored_kinds_suffice) for channel, kind in others.items())
        )
        if self._failures:
            log.warning(
                "%s look-ups of channels or guests failed, so images are hidden",
                len(self._failures),
                exc_info=self._failures[0],
            )
        visible = VisibleOrigins(
            own.union(channel for channel, _, is_visible in found if is_visible),
            not guests or self._guests_see_imports,
            audience.user,
        )
        return ChannelAccess(visible, frozenset(channel for channel, kind, _ in found if kind is ChannelKind.DIRECT))

    async def _guests(self) -> bool:
        """Return whether guests are among the readers; True if that is unknown."""
        try:
            if self._audience.is_one_person:
                return await self._channels.is_guest(self._audience.user)
            return not self._audience.channel or await self._channels.has_guests(self._audience.channel)
        except Exception as error:  # noqa: BLE001 - no failure may reveal an image to a guest
            self._failures.append(error)
            return True

    async def _look_up(
        self, channel: str, stored: ChannelKind, guests: bool, stored_kind_suffices: bool
    ) -> tuple[str, ChannelKind | None, bool]:
        """Return the channel, its kind (None if unknown), and whether the whole audience may see its images."""
        async with self._slots:
            try:
                is_known = stored_kind_suffices and stored is ChannelKind.PUBLIC
                kind = stored if is_known else await self._channels.kind(channel, stored)
                if kind is ChannelKind.PUBLIC and not guests:
                    return channel, kind, True
            except Exception as error:  # noqa: BLE001 - no failure may reveal a private image
                self._failures.append(error)
                return channel, None, False
            return channel, kind, self._audience.is_one_person and await self._can_read(channel)

    async def _can_read(self, channel: str) -> bool:
        try:
            return await self._channels.can_read(channel, self._audience.user)
        except Exception as error:  # noqa: BLE001 - as above
            self._failures.append(error)
            return False
