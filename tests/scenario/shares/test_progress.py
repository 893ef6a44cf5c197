"""Slow work: people who wait see progress within 10 seconds, and the message turns into the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.wording.errors import NOT_STARTED_YET, STILL_WORKING
from bot.domain.channels import ChannelMode
from bot.domain.errors import BackendTimeout
from bot.services import job_worker
from handlers import errors
from handlers.inbox import waiting_notices
from handlers.jobs import thread_answer
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.people.forwards import unfurled_image
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, run_command
from tests.scenario.support.shares import entities, retry_at_once, settled, watch

DIRECT = "D0SOMEONE"


@pytest.fixture(autouse=True)
def _short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    retry_at_once(monkeypatch)
    monkeypatch.setattr(thread_answer, "PROGRESS_AFTER_S", 0.05)
    monkeypatch.setattr(errors, "PROGRESS_AFTER_S", 0.05)


@pytest.fixture
async def released() -> AsyncIterator[asyncio.Event]:
    """An event for which held downloads and searches wait. It is set at the end of the test."""
    event = asyncio.Event()
    yield event
    event.set()


def hold(slack: FakeSlack, released: asyncio.Event, content: bytes = VALVE, name: str = "valve.png") -> Any:
    """Return a file whose download hangs."""
    file = slack.host(content, name)
    file.held = released
    return file


def progress_messages(slack: FakeSlack) -> list[Message]:
    """Return the messages that say that the work goes on."""
    return [message for message in slack.transcript if message.text in {STILL_WORKING, NOT_STARTED_YET}]


@pytest.mark.parametrize("how", ["watched", "mention", "direct", "thread"])
async def test_hanging_download_shows_progress_that_turns_into_the_answer(
    slack: FakeSlack, start: Start, released: asyncio.Event, how: str
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.add_channel(DIRECT, "", kind="im")
    first = await slack.say("hello") if how == "thread" else None
    shared = await slack.upload(
        hold(slack, released),
        channel=DIRECT if how == "direct" else GENERAL,
        mention=how == "mention",
        thread_ts=first.ts if first else "",
    )
    progress = await slack.wait_for(lambda message: message.text == STILL_WORKING)
    assert (progress.channel, progress.thread_ts, progress.to) == (shared.channel, shared.reply_to, "")
    released.set()
    answer = await slack.wait_for_edit(progress)
    assert "`valve_0042`" in answer.everything
    await settled(slack, app)
    assert slack.replies(shared.reply_to) == [answer]
    assert progress_messages(slack) == []


async def test_hanging_search_shows_progress(
    slack: FakeSlack, start: Start, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    search: Callable[..., Any] = type(app.services.visual).search

    async def slow(*given: Any) -> Any:
        await released.wait()
        return await search(*given)

    monkeypatch.setattr(type(app.services.visual), "search", slow)
    shared = await slack.upload(VALVE)
    progress = await slack.wait_for(lambda message: message.text == STILL_WORKING)
    released.set()
    assert "`valve_0042`" in (await slack.wait_for_edit(progress)).everything
    await settled(slack, app)
    assert len(slack.replies(shared.ts)) == 1


async def test_progress_lasts_through_the_attempts_of_a_failing_service(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    search, failures = type(app.services.visual).search, [BackendTimeout("slow"), BackendTimeout("slow")]
    shown = asyncio.Event()

    async def hangs(*given: Any) -> Any:
        await shown.wait()
        if failures:
            raise failures.pop()
        return await search(*given)

    monkeypatch.setattr(type(app.services.visual), "search", hangs)
    shared = await slack.upload(VALVE)
    progress = await slack.wait_for(lambda message: message.text == STILL_WORKING)
    shown.set()
    answer = await slack.wait_for_edit(progress)
    await settled(slack, app)
    assert "`valve_0042`" in answer.everything
    assert slack.replies(shared.ts) == [answer]


async def test_progress_is_deleted_if_the_work_fails_for_good(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shown = asyncio.Event()

    async def fails(*_: Any) -> Any:
        await shown.wait()
        raise BackendTimeout("slow")

    monkeypatch.setattr(type(app.services.visual), "search", fails)
    shared = await slack.upload(VALVE)
    await slack.wait_for(lambda message: message.text == STILL_WORKING)
    shown.set()
    await settled(slack, app)
    assert slack.replies(shared.ts) == []
    assert progress_messages(slack) == []
    assert [message.text for message in slack.transcript if message.to][-1] == BackendTimeout.user_message


async def test_progress_is_deleted_if_the_file_was_deleted(
    slack: FakeSlack, start: Start, released: asyncio.Event
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(hold(slack, released))
    await slack.wait_for(lambda message: message.text == STILL_WORKING)
    [workspace] = await app.services.storage.catalogue.workspaces()
    await app.services.storage.inbox.withdraw(workspace, file=shared.files[0].id)
    released.set()
    await settled(slack, app)
    assert slack.replies(shared.ts) == []


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_collect_and_guard_channels_show_no_progress(
    slack: FakeSlack, start: Start, released: asyncio.Event, mode: ChannelMode
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, mode, "parts")
    shared = await slack.upload(hold(slack, released))
    await asyncio.sleep(0.2)
    assert slack.transcript == [shared]
    released.set()
    await settled(slack, app)
    assert await entities(app) == ["valve"]


async def test_shortcut_and_share_button_show_progress(slack: FakeSlack, start: Start, released: asyncio.Event) -> None:
    app = await start(VSEARCH_CACHE_TTL_S="0")
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.OFF)
    file = hold(slack, released)
    message = await slack.upload(file)
    await slack.shortcut_message("find_similar", message)
    assert (await slack.wait_for_answer()).text == STILL_WORKING
    released.set()
    answer = await slack.wait_for(lambda found: "`valve_0042`" in found.everything)
    assert answer.to == SOMEONE
    released.clear()
    before = len(slack.transcript)
    await slack.press(answer, "results_share")
    assert (await slack.wait_for_answer(after=before)).text == STILL_WORKING
    released.set()
    await slack.wait_for(lambda found: "Shared by" in found.everything)


async def test_command_and_form_show_progress(slack: FakeSlack, start: Start, released: asyncio.Event) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.OFF)
    await slack.upload(hold(slack, released))
    assert (await run_command(slack, "search last")).text == STILL_WORKING
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    await slack.submit(form, {"files": hold(slack, released, GASKET)})
    await slack.wait_until(lambda: form.closed)
    released.set()
    answers = [message for message in slack.transcript if message.to and message.text != STILL_WORKING]
    await slack.wait_until(
        lambda: sum(message.text != STILL_WORKING for message in slack.transcript if message.to) >= len(answers) + 2
    )


async def test_author_of_a_queued_share_learns_that_it_waits(
    slack: FakeSlack, start: Start, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_notices, "BUSY_NOTICE_AFTER_S", 0.1)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    for number in range(job_worker.CONCURRENCY):
        await slack.upload(hold(slack, released, name=f"{number}.png"), user="U0OTHER")
    await slack.wait_until(lambda: len(slack.calls("chat.postMessage")) == job_worker.CONCURRENCY)
    # Nobody waits for what becomes of a link.
    await slack.say_with_link("seen", unfurled_image("http://127.0.0.1:1/a.png"), user="U0LINKER")
    waiting = await slack.upload(VALVE, user="U0AUTHOR")
    told = await slack.wait_for_answer(to="U0AUTHOR")
    assert (told.text, told.channel) == (NOT_STARTED_YET, GENERAL)
    await slack.say("status", mention=True, user="U0ASKER")
    assert (await slack.wait_for_answer(to="U0ASKER")).text == NOT_STARTED_YET
    released.set()
    await settled(slack, app)
    assert [message for message in slack.transcript if message.to == "U0LINKER"] == []
    assert "`valve_0042`" in slack.replies(waiting.ts)[0].everything


async def test_queued_share_in_a_collect_channel_sends_no_notice(
    slack: FakeSlack, start: Start, released: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_notices, "BUSY_NOTICE_AFTER_S", 0.05)
    app: SlackApp = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    for number in range(job_worker.CONCURRENCY + 1):
        await slack.upload(hold(slack, released, name=f"{number}.png"))
    await asyncio.sleep(0.3)
    assert [message for message in slack.transcript if message.to] == []
    released.set()
    await settled(slack, app)
