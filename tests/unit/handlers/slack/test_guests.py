"""Guests: who is one, and which channels have some. Whatever Slack doesn't say counts as a guest."""

from __future__ import annotations

import asyncio

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.identifiers import WorkspaceId
from handlers.slack import directory as conversations
from handlers.slack import guests as register
from handlers.slack.directory import DirectoryCache, SlackDirectory
from tests.fakes.slack import FakeSlack

HERE, ANN, GUEST, SINGLE = "C0HERE", "U0ANN", "U0GUEST", "U0SINGLE"


def directory_of(slack: FakeSlack) -> SlackDirectory:
    client = AsyncWebClient(slack.state.bot_token, slack.api_url)
    return DirectoryCache().of(WorkspaceId(slack.state.team), client)


async def test_both_kinds_of_guests_are_recognised_with_one_call_for_each(slack: FakeSlack) -> None:
    slack.add_person(ANN, is_admin=True)
    slack.add_person(GUEST, is_restricted=True)
    slack.add_person(SINGLE, is_ultra_restricted=True)
    directory = directory_of(slack)
    assert [await directory.is_guest(user) for user in (ANN, GUEST, SINGLE, GUEST)] == [False, True, True, True]
    assert await directory.is_admin(ANN)
    assert len(slack.calls("users.info")) == 3


@pytest.mark.parametrize("error", ["internal_error", "missing_scope", "user_not_found"])
async def test_person_counts_as_a_guest_if_slack_fails(slack: FakeSlack, error: str) -> None:
    directory = directory_of(slack)
    slack.refuse_next("users.info", error)
    assert await directory.is_guest(ANN)
    slack.break_next("users.info")
    assert await directory.is_guest(ANN)
    assert not await directory.is_guest(ANN)


async def test_workspace_without_guests_costs_one_call(slack: FakeSlack) -> None:
    directory = directory_of(slack)
    slack.add_person(ANN)
    slack.add_person("U0GONE", is_restricted=True, deleted=True)
    for channel in (HERE, "C0OTHER", HERE):
        assert not await directory.has_guests(channel)
    assert len(slack.calls("users.list")) == 1
    assert slack.calls("conversations.members") == []


async def test_only_channels_with_guests_have_guests(slack: FakeSlack) -> None:
    slack.add_person(GUEST, is_restricted=True)
    slack.add_channel(HERE, "here", members=[ANN, GUEST])
    slack.add_channel("C0OTHER", "other", members=[ANN])
    directory = directory_of(slack)
    assert await directory.has_guests(HERE)
    assert not await directory.has_guests("C0OTHER")


async def test_guests_are_read_from_all_pages(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "PEOPLE_PER_PAGE", 2)
    for number in range(6):
        slack.add_person(f"U{number}")
    slack.add_person(GUEST, is_restricted=True)
    slack.add_channel(HERE, "here", members=[GUEST])
    assert await directory_of(slack).has_guests(HERE)
    assert len(slack.calls("users.list")) == 4


async def test_workspace_with_too_many_people_may_have_guests_everywhere(
    slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "PEOPLE_PER_PAGE", 2)
    monkeypatch.setattr(register, "MAX_PAGES", 2)
    for number in range(6):
        slack.add_person(f"U{number}")
    slack.add_channel(HERE, "here", members=["U1"])
    directory = directory_of(slack)
    assert await directory.has_guests(HERE)
    assert await directory.has_guests("C0OTHER")
    # The failure is remembered for a minute, so that not every answer reads all people again.
    assert len(slack.calls("users.list")) == 2


async def test_channel_with_too_many_members_may_have_guests(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "MEMBERS_PER_PAGE", 2)
    monkeypatch.setattr(conversations, "MAX_PAGES", 2)
    slack.add_person(GUEST, is_restricted=True)
    slack.add_channel(HERE, "here", members=[f"U{number}" for number in range(7)])
    assert await directory_of(slack).has_guests(HERE)


@pytest.mark.parametrize("method", ["users.list", "conversations.members"])
async def test_channel_may_have_guests_if_slack_fails(slack: FakeSlack, method: str) -> None:
    slack.add_person(GUEST, is_restricted=True)
    slack.add_channel(HERE, "here", members=[ANN])
    slack.refuse_next(method, "internal_error")
    assert await directory_of(slack).has_guests(HERE)


async def test_stand_in_without_the_methods_has_no_guests(slack: FakeSlack) -> None:
    slack.refuse_next("users.list", "unknown_method")
    slack.refuse_next("users.info", "unknown_method")
    directory = directory_of(slack)
    assert not await directory.has_guests(HERE)
    assert not await directory.is_guest(ANN)


async def test_channels_of_a_guest_cost_one_call_however_many_there_are(slack: FakeSlack) -> None:
    slack.add_person(GUEST, is_restricted=True)
    channels = [f"C0{number:04}" for number in range(40)]
    for number, channel in enumerate(channels):
        slack.add_channel(channel, f"channel-{number}", members=[GUEST] if number % 20 == 0 else [])
    slack.add_channel("C0PRIVATE", "private", kind="private", members=[GUEST])
    slack.add_channel("C0CLOSED", "closed", kind="private", members=[GUEST], bot_is_member=False)
    directory = directory_of(slack)
    assert await directory.is_guest(GUEST)
    asked = [*channels, "C0PRIVATE", "C0CLOSED", "C0UNKNOWN"]
    read = await asyncio.gather(*(directory.can_read(channel, GUEST) for channel in asked))
    assert [channel for channel, is_read in zip(asked, read, strict=True) if is_read] == [
        channels[0],
        channels[20],
        "C0PRIVATE",
    ]
    assert len(slack.calls("users.conversations")) == 1
    assert slack.calls("conversations.members") == []


async def test_guest_reads_no_channel_while_slack_does_not_answer(slack: FakeSlack) -> None:
    slack.add_person(GUEST, is_restricted=True)
    slack.add_channel(HERE, "here", members=[GUEST])
    directory = directory_of(slack)
    assert await directory.is_guest(GUEST)
    slack.refuse_next("users.conversations", "internal_error")
    assert not await directory.can_read(HERE, GUEST)
    assert not await directory.can_read(HERE, GUEST)
    assert len(slack.calls("users.conversations")) == 1


async def test_stand_in_without_users_conversations_is_asked_about_each_channel(slack: FakeSlack) -> None:
    slack.add_person(GUEST, is_restricted=True)
    slack.add_channel(HERE, "here", members=[GUEST])
    directory = directory_of(slack)
    assert await directory.is_guest(GUEST)
    slack.refuse_next("users.conversations", "unknown_method")
    assert await directory.can_read(HERE, GUEST)
    assert len(slack.calls("conversations.members")) == 1


async def test_call_with_an_organisations_token_names_the_workspace(slack: FakeSlack) -> None:
    slack.add_workspace("T0ORG", "One of many", "xoxb-org", enterprise="E0ORG", org_install=True)
    slack.add_person(GUEST, is_restricted=True)
    slack.add_channel(HERE, "here", members=[GUEST], team="T0ORG")
    slack.add_channel("C0EMPTY", "empty", team="T0ORG")
    directory = DirectoryCache().of(WorkspaceId("T0ORG"), AsyncWebClient("xoxb-org", slack.api_url))
    assert [await directory.has_guests(channel) for channel in (HERE, "C0EMPTY")] == [True, False]
    assert await directory.is_guest(GUEST)
    assert await directory.can_read(HERE, GUEST)
