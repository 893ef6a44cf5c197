"""The directory of channels and members: caching, separate workspaces, and safe answers if Slack fails."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.slack import directory as conversations
from handlers.slack.directory import DirectoryCache, SlackDirectory, kind_of
from tests.fakes.slack import FakeSlack

HERE, ANN, BOB = "C0HERE", "U0ANN", "U0BOB"
PUBLIC, PRIVATE, DIRECT, SHARED = ChannelKind.PUBLIC, ChannelKind.PRIVATE, ChannelKind.DIRECT, ChannelKind.SHARED


@pytest.fixture
def directory(slack: FakeSlack) -> SlackDirectory:
    return DirectoryCache().of(WorkspaceId(slack.state.team), client_of(slack))


def client_of(slack: FakeSlack, token: str = "") -> AsyncWebClient:
    return AsyncWebClient(token or slack.state.bot_token, slack.api_url)


@pytest.mark.parametrize(
    ("about", "kind"),
    [
        ({"is_channel": True, "is_private": False}, PUBLIC),
        ({"is_channel": True}, PUBLIC),
        ({"is_channel": True, "is_private": True}, PRIVATE),
        ({"is_group": True}, PRIVATE),
        ({"is_im": True}, DIRECT),
        ({"is_mpim": True, "is_private": True, "is_group": True}, DIRECT),
        ({"is_channel": True, "is_private": True, "is_ext_shared": True}, SHARED),
        ({"is_channel": True, "is_org_shared": True}, SHARED),
        ({"is_group": True, "is_shared": True}, SHARED),
        ({"is_private": "no"}, None),
        ({}, None),
        (None, None),
        ("C0HERE", None),
        ({"id": "C0HERE", "is_private": None, "is_channel": None}, None),
    ],
)
def test_kind_is_parsed_from_the_channel_object(about: Any, kind: ChannelKind | None) -> None:
    assert kind_of(about) is kind


@pytest.mark.parametrize("kind", ["public", "private", "im", "mpim", "shared"])
async def test_kind_is_cached(slack: FakeSlack, directory: SlackDirectory, kind: Any) -> None:
    slack.add_channel(HERE, "here", kind=kind)
    expected = {"im": DIRECT, "mpim": DIRECT}.get(kind) or ChannelKind(kind)
    for known in ChannelKind:
        assert await directory.kind(HERE, known) is expected
    assert len(slack.calls("conversations.info")) == 1


async def test_image_without_a_channel_causes_no_call(slack: FakeSlack, directory: SlackDirectory) -> None:
    assert await directory.kind("", DIRECT) is DIRECT
    assert slack.calls("conversations.info") == []


async def test_public_channel_that_is_not_found_counts_as_private(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_channel(HERE, "here", kind="private", bot_is_member=False)
    for known, kind in ((PUBLIC, PRIVATE), (PRIVATE, PRIVATE), (DIRECT, DIRECT), (SHARED, SHARED)):
        assert await directory.kind(HERE, known) is kind


@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "internal_error"])
async def test_known_kind_is_used_after_a_failure_and_the_call_is_repeated(
    slack: FakeSlack, directory: SlackDirectory, error: str
) -> None:
    slack.add_channel(HERE, "here")
    slack.refuse_next("conversations.info", error)
    assert await directory.kind(HERE, PRIVATE) is PRIVATE
    slack.break_next("conversations.info")
    assert await directory.kind(HERE, PRIVATE) is PRIVATE
    assert await directory.kind(HERE, PRIVATE) is PUBLIC


async def test_members_are_cached(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_channel(HERE, "here", kind="private", members=[ANN])
    assert await directory.can_read(HERE, ANN)
    assert not await directory.can_read(HERE, BOB)
    assert len(slack.calls("conversations.members")) == 1


async def test_members_of_a_large_channel_are_paged(
    slack: FakeSlack, directory: SlackDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "MEMBERS_PER_PAGE", 2)
    slack.add_channel(HERE, "here", kind="private", members=[f"U{number}" for number in range(7)])
    assert await directory.can_read(HERE, "U6")
    assert len(slack.calls("conversations.members")) == 4


async def test_membership_failure_raises_or_returns_false(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_channel(HERE, "here", kind="private", bot_is_member=False, members=[ANN])
    with pytest.raises(SlackApiError):
        await directory.can_read(HERE, ANN)
    assert not await directory.can_read_or_no(HERE, ANN)


async def test_members_read_public_channels_and_guests_only_their_own(
    slack: FakeSlack, directory: SlackDirectory
) -> None:
    slack.add_person(BOB, is_restricted=True)
    slack.add_channel(HERE, "here", members=[BOB])
    slack.add_channel("C0THERE", "there", members=[])
    slack.add_channel("C0OURS", "ours", kind="private", members=[ANN])
    slack.add_channel("C0CLOSED", "closed", kind="private", bot_is_member=False, members=[ANN, BOB])
    channels = [HERE, "C0THERE", "C0OURS", "C0CLOSED", HERE]
    assert await directory.readable(channels, ANN) == {HERE, "C0THERE", "C0OURS"}
    assert await directory.readable(channels, BOB) == {HERE}


async def test_cache_entries_expire(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "KINDS_TTL_S", 0)
    monkeypatch.setattr(conversations, "MEMBERS_TTL_S", 0)
    members = DirectoryCache().of(WorkspaceId(slack.state.team), client_of(slack))
    channel = slack.add_channel(HERE, "here", members=[ANN])
    assert await members.kind(HERE, PUBLIC) is PUBLIC
    assert await members.can_read(HERE, ANN)
    channel.kind, channel.members = "private", []
    assert await members.kind(HERE, PUBLIC) is PRIVATE
    assert not await members.can_read(HERE, ANN)


async def test_workspaces_are_cached_separately(slack: FakeSlack) -> None:
    """In a channel shared by two workspaces, possibly only one workspace's bot is a member."""
    other = slack.add_workspace("T0OTHER", "Other", "xoxb-other")
    slack.add_channel(HERE, "here", kind="private", members=[ANN])
    cache = DirectoryCache()
    ours = cache.of(WorkspaceId(slack.state.team), client_of(slack))
    theirs = cache.of(WorkspaceId(other.team), client_of(slack, other.bot_token))
    assert await ours.can_read(HERE, ANN)
    assert not await theirs.can_read_or_no(HERE, ANN)
    slack.forgive("is another workspace's")


async def test_admins_and_owners_are_recognised(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_person(ANN, is_admin=True)
    slack.add_person("U0OWNER", is_owner=True)
    slack.add_person(BOB)
    assert [await directory.is_admin(user) for user in (ANN, "U0OWNER", BOB, ANN)] == [True, True, False, True]
    assert len(slack.calls("users.info")) == 3


async def test_nobody_is_an_admin_if_slack_fails(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_person(ANN, is_admin=True)
    slack.refuse_next("users.info", "unknown_method")
    assert not await directory.is_admin(ANN)
    assert await directory.is_admin(ANN)


async def test_bot_membership_is_looked_up(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_channel("C0IN", "in")
    slack.add_channel("C0OUT", "out", bot_is_member=False)
    slack.add_channel("C0HIDDEN", "hidden", kind="private", bot_is_member=False)
    assert [await directory.is_bot_member(channel) for channel in ("C0IN", "C0OUT", "C0HIDDEN")] == [True, False, False]
    slack.refuse_next("conversations.info", "unknown_method")
    assert await directory.is_bot_member("C0OUT")
