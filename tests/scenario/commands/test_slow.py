"""Slow commands: one progress message, and never more posts than a response URL allows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.errors import BackendDown
from handlers import errors
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, VALVE, act, idle, press, run_command

STILL = "Still working on it"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "PROGRESS_AFTER_S", 0.02)


def held_searches(app: SlackApp, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Make searches wait for this event."""
    go_on = asyncio.Event()
    search = app.services.visual.search

    async def slow_search(_self: object, *arguments: Any) -> Any:
        await go_on.wait()
        return await search(*arguments)

    monkeypatch.setattr(type(app.services.visual), "search", slow_search)
    return go_on


async def test_slow_command_is_announced_once_and_then_answered(
    slack: FakeSlack, start: Start, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    go_on = held_searches(app, monkeypatch)
    await slack.command(pictures.url("v.png", VALVE))
    first = await slack.wait_for_answer()
    assert STILL in first.text
    await asyncio.sleep(0.05)
    assert len(slack.transcript) == 1
    go_on.set()
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert (answer.to, answer.via) == (SOMEONE, "response_url")
    assert max(ack.seconds for ack in slack.state.acks) < 1


async def test_quick_command_is_not_announced(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "PROGRESS_AFTER_S", 5.0)
    await fill(await start(), "parts", valve_0042=VALVE)
    await run_command(slack, "db")
    assert len(slack.transcript) == 1


async def test_slow_page_is_announced_and_then_shown(
    slack: FakeSlack, start: Start, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "PROGRESS_AFTER_S", 5.0)
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address, VSEARCH_CACHE_TTL_S="0")
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    first = await run_command(slack, f"{pictures.url('v.png', VALVE)} top:1 min:0")
    monkeypatch.setattr(errors, "PROGRESS_AFTER_S", 0.02)
    go_on = held_searches(app, monkeypatch)
    assert STILL in (await press(slack, first, "results_more")).text
    go_on.set()
    assert "*Match 2 of 2*" in (await slack.wait_for_edit(first)).everything


async def test_failed_slow_command_ends_in_one_sentence(
    slack: FakeSlack, start: Start, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    go_on = asyncio.Event()

    async def fail(*_: object) -> None:
        await go_on.wait()
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "search", fail)
    await slack.command(pictures.url("v.png", VALVE))
    assert STILL in (await slack.wait_for_answer()).text
    go_on.set()
    await slack.wait_for(lambda m: "can't be reached right now" in m.text)
    assert len(slack.transcript) == 2


async def shared_answer(slack: FakeSlack, before: int) -> Message:
    """Return the first public message that comes after the transcript had ``before`` messages."""
    return await slack.wait_for(lambda message: message in slack.transcript[before:] and not message.to)


async def test_response_url_is_used_at_most_five_times(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    """Run a command with its form, and press every button below its answer."""
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=GASKET)
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    await slack.submit(form, {"url": pictures.url("v.png", VALVE), "database": "parts"})
    answer = await slack.wait_for(lambda m: "Best match in parts" in m.text)
    for _ in range(7):
        before = len(slack.transcript)
        await act(slack, answer, "results_another_database")
        another = await slack.wait_for_view("another_database_form")
        await slack.submit(another, {"database": "logos"})
        await slack.wait_for_answer(after=before)
        before = len(slack.transcript)
        await act(slack, answer, "results_share")
        # A slow answer is announced to the sharer first.
        await shared_answer(slack, before)
    await idle(app)
    assert max(location.posts for location in slack.state.response_urls.values()) <= 5


async def test_form_open_past_the_response_url_is_still_answered(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    slack.pass_time(31 * 60)
    await slack.submit(form, {"files": VALVE})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert (answer.to, answer.channel, answer.via) == (SOMEONE, GENERAL, "chat.postEphemeral")
    slack.forgive("used too late")


async def test_share_that_may_not_be_posted_says_why(slack: FakeSlack, start: Start) -> None:
    slack.add_channel("C0AWAY", "away", bot_is_member=False)
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command("", channel="C0AWAY")
    form = await slack.wait_for_view("search_form")
    slack.pass_time(31 * 60)
    await slack.submit(form, {"files": VALVE, "readers": "channel"})
    await slack.wait_until(lambda: "I can't post in" in str(form.errors))
    assert "/invite" in str(form.errors)
    slack.forgive("used too late")
