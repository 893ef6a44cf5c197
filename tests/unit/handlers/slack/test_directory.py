"""What Slack says of channels and people: remembered for a while, apart by workspace, and where in doubt, no."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake
        assert fake.failures == []


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
def test_a_description_says_who_reads_a_channel(about: Any, kind: ChannelKind | None) -> None:
    assert kind_of(about) is kind


@pytest.mark.parametrize("kind", ["public", "private", "im", "mpim", "shared"])
async def test_slack_is_asked_what_a_channel_is_and_not_again(
    slack: FakeSlack, directory: SlackDirectory, kind: Any
) -> None:
    slack.add_channel(HERE, "here", kind=kind)
    expected = {"im": DIRECT, "mpim": DIRECT}.get(kind) or ChannelKind(kind)
    for known in ChannelKind:
        assert await directory.kind(HERE, known) is expected
    assert len(slack.calls("conversations.info")) == 1


async def test_what_was_never_in_a_channel_is_not_asked_about(slack: FakeSlack, directory: SlackDirectory) -> None:
    assert await directory.kind("", DIRECT) is DIRECT
    assert slack.calls("conversations.info") == []


async def test_a_public_channel_that_can_t_be_found_is_public_no_longer(
    slack: FakeSlack, directory: SlackDirectory
) -> None:
    slack.add_channel(HERE, "here", kind="private", bot_is_member=False)
    for known, kind in ((PUBLIC, PRIVATE), (PRIVATE, PRIVATE), (DIRECT, DIRECT), (SHARED, SHARED)):
        assert await directory.kind(HERE, known) is kind


@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "internal_error"])
async def test_where_slack_does_not_say_what_was_known_stands_and_it_is_asked_again(
    slack: FakeSlack, directory: SlackDirectory, error: str
) -> None:
    slack.add_channel(HERE, "here")
    slack.refuse_next("conversations.info", error)
    assert await directory.kind(HERE, PRIVATE) is PRIVATE
    slack.break_next("conversations.info")
    assert await directory.kind(HERE, PRIVATE) is PRIVATE
    assert await directory.kind(HERE, PRIVATE) is PUBLIC


async def test_who_reads_a_channel_is_asked_once_for_all(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_channel(HERE, "here", kind="private", members=[ANN])
    assert await directory.can_read(HERE, ANN)
    assert not await directory.can_read(HERE, BOB)
    assert len(slack.calls("conversations.members")) == 1


async def test_a_large_channel_is_read_page_by_page(
    slack: FakeSlack, directory: SlackDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "MEMBERS_PER_PAGE", 2)
    slack.add_channel(HERE, "here", kind="private", members=[f"U{number}" for number in range(7)])
    assert await directory.can_read(HERE, "U6")
    assert len(slack.calls("conversations.members")) == 4


async def test_who_may_not_be_known_is_an_error_or_a_no(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_channel(HERE, "here", kind="private", bot_is_member=False, members=[ANN])
    with pytest.raises(SlackApiError):
        await directory.can_read(HERE, ANN)
    assert not await directory.can_read_or_no(HERE, ANN)


async def test_what_is_remembered_is_forgotten_after_a_while(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "KINDS_TTL_S", 0)
    monkeypatch.setattr(conversations, "MEMBERS_TTL_S", 0)
    people = DirectoryCache().of(WorkspaceId(slack.state.team), client_of(slack))
    channel = slack.add_channel(HERE, "here", members=[ANN])
    assert await people.kind(HERE, PUBLIC) is PUBLIC
    assert await people.can_read(HERE, ANN)
    channel.kind, channel.members = "private", []
    assert await people.kind(HERE, PUBLIC) is PRIVATE
    assert not await people.can_read(HERE, ANN)


async def test_one_workspace_does_not_answer_for_another(slack: FakeSlack) -> None:
    """The same channel, between two of them, may be joined by the bot of one only."""
    other = slack.add_workspace("T0OTHER", "Other", "xoxb-other")
    slack.add_channel(HERE, "here", kind="private", members=[ANN])
    acquaintance = DirectoryCache()
    ours = acquaintance.of(WorkspaceId(slack.state.team), client_of(slack))
    theirs = acquaintance.of(WorkspaceId(other.team), client_of(slack, other.bot_token))
    assert await ours.can_read(HERE, ANN)
    assert not await theirs.can_read_or_no(HERE, ANN)
    slack.forgive("is another workspace's")


async def test_admins_and_owners_are_told_from_members(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_person(ANN, is_admin=True)
    slack.add_person("U0OWNER", is_owner=True)
    slack.add_person(BOB)
    assert [await directory.is_admin(user) for user in (ANN, "U0OWNER", BOB, ANN)] == [True, True, False, True]
    assert len(slack.calls("users.info")) == 3


async def test_nobody_is_an_admin_where_slack_does_not_say(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_person(ANN, is_admin=True)
    slack.refuse_next("users.info", "unknown_method")
    assert not await directory.is_admin(ANN)
    assert await directory.is_admin(ANN)


async def test_the_bot_knows_whether_it_is_in_a_channel(slack: FakeSlack, directory: SlackDirectory) -> None:
    slack.add_channel("C0IN", "in")
    slack.add_channel("C0OUT", "out", bot_is_member=False)
    slack.add_channel("C0HIDDEN", "hidden", kind="private", bot_is_member=False)
    assert [await directory.is_bot_member(channel) for channel in ("C0IN", "C0OUT", "C0HIDDEN")] == [True, False, False]
    slack.refuse_next("conversations.info", "unknown_method")
    assert await directory.is_bot_member("C0OUT")
