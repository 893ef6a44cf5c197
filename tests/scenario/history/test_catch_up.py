"""After an outage, what was posted in watched channels is read once, and nobody is answered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.identifiers import WorkspaceId
from tests.fakes.slack import GENERAL, FakeSlack
from tests.scenario.conftest import fill
from tests.scenario.support.past import hurry, notices, picture, unseen
from tests.scenario.support.requests import run_command
from tests.scenario.support.shares import ORIGINAL, edited_copy, entities, running, settled, watch


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker begin at once."""
    hurry(monkeypatch)


async def caught_up(app: SlackApp) -> None:
    """Wait until nothing is left to catch up on."""
    assert app.identity is not None
    history = app.services.storage.history
    for _ in range(500):
        if not await history.due(10):
            return
        await asyncio.sleep(0.02)


async def seen(app: SlackApp) -> str:
    """Return the time of the last event of the channel."""
    assert app.identity is not None
    workspace = WorkspaceId(app.identity.workspace)
    return (await app.services.storage.history.seen(workspace))[workspace, GENERAL]


async def test_missed_pictures_are_collected_once_and_quietly(slack: FakeSlack, tmp_path: Path) -> None:
    with unseen(slack):
        await slack.upload(slack.host(picture(0), "before.jpg"))
    async with running(slack, tmp_path) as app:
        await fill(app, "parts")
        await watch(app, ChannelMode.COLLECT, "parts")
        live = await slack.upload(slack.host(picture(1), "live.jpg"))
        await slack.wait_for_reaction(live)
        await settled(slack, app)
    with unseen(slack):
        missed = await slack.upload(slack.host(picture(2), "missed.jpg"))
        await slack.upload(slack.host(picture(3), "in thread.jpg"), thread_ts=live.ts)
    for _ in range(2):
        async with running(slack, tmp_path) as app:
            await caught_up(app)
            assert sorted(await entities(app)) == ["in thread", "live", "missed"]
            assert await seen(app) == missed.ts
    assert not notices(slack)
    assert [one.ts for one in slack.state.reactions] == [live.ts]


async def test_guard_channel_adds_missed_pictures_and_reports_none(slack: FakeSlack, tmp_path: Path) -> None:
    async with running(slack, tmp_path) as app:
        await fill(app, "parts", original=ORIGINAL)
        await watch(app, ChannelMode.GUARD, "parts")
        await slack.say("hello")
        await settled(slack, app)
    with unseen(slack):
        await slack.upload(slack.host(edited_copy(), "copy.jpg"))
        await slack.upload(slack.host(picture(2), "missed.jpg"))
    async with running(slack, tmp_path) as app:
        await caught_up(app)
        assert sorted(await entities(app)) == ["missed", "original"]
    assert not notices(slack)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"VSEARCH_CATCH_UP_HOURS": "0"}, []),
        ({"VSEARCH_CATCH_UP_MESSAGES": "2"}, ["part 3", "part 4"]),
    ],
)
async def test_catching_up_has_a_bound(
    slack: FakeSlack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], found: list[str]
) -> None:
    monkeypatch.setattr("handlers.history.reading.PAGE", 2)
    monkeypatch.setattr("handlers.history.reading.LIMITED_PAGE", 0)
    async with running(slack, tmp_path) as app:
        await fill(app, "parts")
        await watch(app, ChannelMode.COLLECT, "parts")
    with unseen(slack):
        for number in range(5):
            await slack.upload(slack.host(picture(number), f"part {number}.jpg"))
    async with running(slack, tmp_path, **settings) as app:
        await caught_up(app)
        assert await entities(app) == found


async def test_channels_without_a_mode_are_not_read(slack: FakeSlack, tmp_path: Path) -> None:
    async with running(slack, tmp_path) as app:
        await fill(app, "parts")
        await watch(app, ChannelMode.LOOKUP, "parts")
    with unseen(slack):
        await slack.upload(slack.host(picture(1), "missed.jpg"))
    async with running(slack, tmp_path) as app:
        await caught_up(app)
        assert not await entities(app)
        assert not slack.calls("conversations.history")


async def test_two_processes_add_each_past_picture_once(slack: FakeSlack, tmp_path: Path) -> None:
    with unseen(slack):
        for number in range(40):
            await slack.upload(slack.host(picture(number), f"part {number:02}.jpg"))
    async with running(slack, tmp_path) as first, running(slack, tmp_path) as second:
        await fill(first, "parts")
        await run_command(slack, "import here in:parts")
        history = second.services.storage.history
        for _ in range(1000):
            given = await history.get(1)
            if given is not None and not given.status.is_active:
                break
            await asyncio.sleep(0.02)
        await settled(slack, first, second)
        assert given is not None
        assert (given.added, given.known, given.refused) == (40, 0, 0)
        assert await entities(first) == [f"part {number:02}" for number in range(40)]
    assert len(notices(slack)) == 1
