"""Values of channels: who reads them, what happens to images shared in them, and who reads an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.identifiers import DatabaseName, WorkspaceId


class ChannelKind(StrEnum):
    """Who can read a conversation."""

    PUBLIC = "public"
    """Everybody in the workspace."""
    PRIVATE = "private"
    DIRECT = "direct"
    """A direct message, to one or to several."""
    SHARED = "shared"
    """A Slack Connect channel: people of other organisations read it too."""


GUARD_MINIMUM = 9.0
"""From this score on, a guard calls an image a repost."""


class ChannelMode(StrEnum):
    """What happens to images shared in a channel."""

    LOOKUP = "lookup"
    COLLECT = "collect"
    GUARD = "guard"
    OFF = "off"
    """Somebody said ``unwatch``."""


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """What was set for a channel. ``database`` and ``minimum``: None where nothing was said."""

    workspace: WorkspaceId
    channel: str
    mode: ChannelMode = ChannelMode.LOOKUP
    database: DatabaseName | None = None
    minimum: float | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class Audience:
    """Who will read an answer: one person (``user`` set), or all who read ``channel``."""

    workspace: WorkspaceId
    channel: str
    kind: ChannelKind
    user: str = ""

    @property
    def is_one_person(self) -> bool:
        """Whether nobody but ``user`` sees the answer."""
        return bool(self.user)
