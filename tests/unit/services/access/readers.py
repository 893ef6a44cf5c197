"""Images from channels, and readers of them, for tests of privacy."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.services.access.privacy import PrivacyService
from tests.fakes.conversations import NoOrigins
from tests.fixtures.records import image_record

PUBLIC, PRIVATE, DIRECT, SHARED = ChannelKind.PUBLIC, ChannelKind.PRIVATE, ChannelKind.DIRECT, ChannelKind.SHARED
TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
NOW, LATER = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
ANN, BOB = "U0ANN", "U0BOB"

privacy = PrivacyService(NoOrigins())


def record(
    number: int,
    channel: str | None = None,
    kind: ChannelKind = PUBLIC,
    *,
    added_by: str = BOB,
    workspace: WorkspaceId = TEAM,
) -> ImageRecord:
    """Return an image from a channel, or with None one without an origin."""
    return image_record(
        database=DatabaseKey(workspace, DatabaseName("parts")),
        data_id=DataId(f"id{number}"),
        added_at=NOW,
        added_by=added_by,
        origin=None if channel is None else SlackOrigin("F1", channel, "1.0", kind=kind),
    )


def everyone_in(channel: str, kind: ChannelKind) -> Audience:
    return Audience(TEAM, channel, kind)


def only(user: str = ANN, channel: str = "C0HERE", kind: ChannelKind = PUBLIC) -> Audience:
    return Audience(TEAM, channel, kind, user)
