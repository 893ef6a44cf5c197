"""Fake Slack directories for the privacy and permission services."""

from __future__ import annotations

from bot.domain.channels import ChannelKind


class FakeChannelDirectory:
    """A ``ChannelDirectory`` that records its calls. Conversations in ``broken`` raise an error."""

    def __init__(
        self,
        kinds: dict[str, ChannelKind] | None = None,
        members: dict[str, set[str]] | None = None,
        broken: frozenset[str] = frozenset(),
    ) -> None:
        self.kinds = kinds or {}
        self.members = members or {}
        self.broken = broken
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


class FakeMemberDirectory:
    """A ``MemberDirectory`` that records its calls."""

    def __init__(self, *admins: str) -> None:
        self.admins = frozenset(admins)
        self.asked: list[str] = []

    async def is_admin(self, user: str) -> bool:
        self.asked.append(user)
        return user in self.admins
