"""Values of channels: their kind, their mode and the audience of an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.channels.rules import NO_RULES, GuardRules
from bot.domain.identifiers import DatabaseName, WorkspaceId


class ChannelKind(StrEnum):
    """Who can read a conversation."""

    PUBLIC = "public"
    """Everyone in the workspace."""
    PRIVATE = "private"
    DIRECT = "direct"
    """A direct message with one or several people."""
    SHARED = "shared"
    """A Slack Connect channel, which people in other organisations can read."""


GUARD_MINIMUM = 9.0
"""Minimum score at which a guard channel reports an image as a repost."""


class ChannelMode(StrEnum):
    """What the bot does with images shared in a channel."""

    LOOKUP = "lookup"
    COLLECT = "collect"
    GUARD = "guard"
    OFF = "off"
    """Set by ``unwatch``: the bot ignores the channel's images."""


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """The settings of a channel. ``database`` and ``minimum`` are None if they were not set.

    ``rules`` are those of a guard channel.
    """

    workspace: WorkspaceId
    channel: str
    mode: ChannelMode = ChannelMode.LOOKUP
    database: DatabaseName | None = None
    minimum: float | None = None
    changed_by: str = ""
    rules: GuardRules = NO_RULES

    def has_same_settings(self, other: ChannelBinding) -> bool:
        """Return whether both do the same, whoever set them."""
        return replace(self, changed_by=other.changed_by) == other


@dataclass(frozen=True, slots=True)
class SettingsEditors:
    """Who may change the settings of a workspace's channels, besides admins.

    ``everybody``, or each channel's ``creators`` (whoever created it in Slack), and the people who are named.
    """

    everybody: bool = True
    creators: bool = False
    people: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class VisibleOrigins:
    """Selects the origins that readers may see.

    Attributes:
        channels: The conversations whose images they may see.
        without_channel: Whether they may see images that came from no conversation.
        user: A single reader, who also sees their own images that came from no conversation or a direct message.
    """

    channels: frozenset[str]
    without_channel: bool = False
    user: str = ""

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes of ``scopes_of`` that the readers see. An origin is visible if it has one of them."""
        without_channel = {_NO_CHANNEL} if self.without_channel else set()
        return self.channels.union(without_channel, {_BY + self.user} if self.user else ())


_NO_CHANNEL, _BY = "", "@"


def scopes_of(channel: str, kind: ChannelKind | None, file: str | None, author: str) -> frozenset[str]:
    """Return by what an origin can be seen: its conversation, that it has none, or ``@`` and its author.

    Words are indexed by scope, so that a search doesn't come across those that its readers may not see. An origin
    without a kind is from the first versions. ``@`` alone is for what nobody in Slack sees.
    """
    if channel:
        return frozenset({channel, _BY + author} if kind is ChannelKind.DIRECT and author else {channel})
    if file is None or kind is ChannelKind.PUBLIC:
        return frozenset({_NO_CHANNEL, _BY + author} if author else {_NO_CHANNEL})
    return frozenset({_BY + author})


@dataclass(frozen=True, slots=True)
class Audience:
    """The readers of an answer: one person if ``user`` is set, else everyone in ``channel``.

    ``also``: other channels that all of them can read.
    """

    workspace: WorkspaceId
    channel: str
    kind: ChannelKind
    user: str = ""
    also: frozenset[str] = frozenset()

    @property
    def is_one_person(self) -> bool:
        """Whether only ``user`` sees the answer."""
        return bool(self.user)
