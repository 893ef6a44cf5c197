"""Helpers for reposts and reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.app.slack_app import SlackApp
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import NO_RULES, ChannelBinding, ChannelKind, ChannelMode, GuardRules
from bot.domain.identifiers import DatabaseName, EntityId, Note
from tests.fakes.slack import GENERAL, FakeSlack, Message
from tests.scenario.support.requests import key_of
from tests.scenario.support.shares import settled

LEA, COPYCAT, MOD, ADMIN = "U0LEA", "U0COPYCAT", "U0MODERATOR", "U0ADMIN"
MODS = "C0MODS"


async def guard(
    app: SlackApp, rules: GuardRules = NO_RULES, *, channel: str = GENERAL, minimum: float | None = None
) -> None:
    """Let a channel be a guard channel with these rules, with the database “ads”."""
    binding = ChannelBinding(
        key_of(app, "ads").workspace, channel, ChannelMode.GUARD, DatabaseName("ads"), minimum, "", rules
    )
    await app.services.storage.bindings.put(binding)


async def posted(
    app: SlackApp,
    content: bytes,
    entity: str = "bicycle",
    *,
    author: str = LEA,
    days_ago: float = 0,
    channel: str = GENERAL,
    kind: ChannelKind = ChannelKind.PUBLIC,
) -> str:
    """Add an image as if it had been posted some days ago. Return the time of its message."""
    services = app.services
    ts = f"{(datetime.now(UTC) - timedelta(days=days_ago)).timestamp():.6f}"
    picture = await services.normaliser.picture(content)
    jpeg = await services.normaliser.jpeg(picture)
    origin = SlackOrigin(f"F{entity.upper()}", channel, ts, f"https://acme.slack.com/archives/{channel}/p1", kind)
    key = key_of(app, "ads")
    await services.additions.add(key, picture, jpeg, EntityId(entity), Note(), added_by=author, origin=origin)
    return ts


async def repost(
    slack: FakeSlack, app: SlackApp, *contents: bytes, user: str = COPYCAT, channel: str = GENERAL, names: str = "mine"
) -> Message:
    """Share images, and wait until they are handled."""
    files = [slack.host(content, f"{names}{number or ''}.png", user=user) for number, content in enumerate(contents)]
    shared = await slack.upload(*files, user=user, channel=channel)
    await settled(slack, app)
    return shared


def report_in(slack: FakeSlack, shared: Message) -> Message:
    """Return the only report in the thread of a message, as it is now."""
    [report] = slack.replies(shared.ts)
    return report


def copies_in(slack: FakeSlack, channel: str = MODS) -> list[Message]:
    """Return the messages in a channel for reports, as they are now."""
    return [message for message in slack.transcript if message.channel == channel and not message.thread_ts]
