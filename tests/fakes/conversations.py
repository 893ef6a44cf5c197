"""Fake Slack directories for the privacy and permission services."""

from __future__ import annotations

from bot.domain.catalogue import ImageRecord
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DataId, EntityId


class NoOrigins:
    """An ``OriginCatalogue`` of databases whose images were counted elsewhere."""

    async def origin_channels(self, key: DatabaseKey) -> tuple[tuple[str, ChannelKind], ...]:
        return ()

    async def count_hidden(self, key: DatabaseKey, visible: VisibleOrigins) -> int:
        return 0

    async def hidden_images(self, key: DatabaseKey, visible: VisibleOrigins, limit: int) -> frozenset[DataId]:
        return frozenset()

    async def of_entity(self, key: DatabaseKey, entity: EntityId, *, or_given: bool = False) -> tuple[ImageRecord, ...]:
        return ()


class FakeChannelDirectory:
    """A ``ChannelDirectory`` that records its look-ups of channels. Conversations in ``broken`` raise an error.

    ``guests`` are people who are guests, and channels that have some.
    """

    def __init__(
        self,
        kinds: dict[str, ChannelKind] | None = None,
        members: dict[str, set[str]] | None = None,
        broken: frozenset[str] = frozenset(),
        guests: frozenset[str] = frozenset(),
    ) -> None:
        self.kinds = kinds or {}
        self.members = members or {}
        self.broken = broken
        self.guests = guests
        self.asked: list[tuple[str, ...]] = []

    async def kind(self, channel: str, known: ChannelKind) -> ChannelKind:
        self.asked.append(("kind", channel, known))
        if channel in self.broken:
            raise ConnectionError("Slack is away")
        return self.kinds.get(channel, known)

    async def can_read(self, channel: str, user: str) -> bool:
        self.asked.append(("can_read", channel, user))
        if channel in self.broken:
            raise ConnectionError("Slack is away")
        return user in self.members.get(channel, set())

    async def is_guest(self, user: str) -> bool:
        return user in self.guests

    async def has_guests(self, channel: str) -> bool:
        if channel in self.broken:
            raise ConnectionError("Slack is away")
        return channel in self.guests


class FakeMemberDirectory:
    """A ``MemberDirectory`` that records its calls."""

    def __init__(self, *admins: str) -> None:
        self.admins = frozenset(admins)
        self.asked: list[str] = []

    async def is_admin(self, user: str) -> bool:
        self.asked.append(user)
        return user in self.admins
