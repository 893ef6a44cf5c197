"""A web process that receives deliveries and a worker that processes pictures handle every interaction once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp, build
from bot.blocks.wording.errors import FAILED, NOT_STARTED_YET
from bot.config.settings import Settings
from bot.domain.jobs import JobKind
from bot.services.job_retries import RETRY_DELAYS_S
from handlers.inbox import waiting_notices
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, action_ids, images_of, press, run_command


@pytest.fixture
async def web_and_worker(slack: FakeSlack, start: Start, tmp_path: Path) -> AsyncIterator[SlackApp]:
    """The worker of two apps on one data directory. Slack delivers to the other, which has no model loaded."""
    web = await start(VSEARCH_ROLE="web")
    values = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_ROLE": "worker"}
    async with build(Settings.from_mapping(values)) as worker:
        await fill(worker, "parts", valve_0042=VALVE, gasket_7=GASKET)
        yield worker
        assert await web.wrapper.drain(5) == 0
    assert b"vsearch_embedding_seconds_count 0.0" in web.metrics.render()


async def answer_with(slack: FakeSlack, part: str) -> Message:
    """Wait for an answer that contains this text."""
    return await slack.wait_for(lambda message: part in message.everything)


async def test_picture_commands_are_answered_by_the_worker(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    shared = await slack.upload(VALVE)
    await slack.wait_for_reply(GENERAL, shared.ts)
    found = await run_command(slack, "search last")
    assert "`valve_0042`" in found.everything
    assert (found.to, found.via) == (SOMEONE, "response_url")
    await slack.upload(UNRELATED)
    assert "`stranger`" in (await run_command(slack, "add last id:stranger")).everything
    assert len(await images_of(web_and_worker, "parts", "stranger")) == 1


async def test_pages_and_sharing_work(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    message = await slack.upload(VALVE, text="top:1 min:0", mention=True)
    first = await slack.wait_for_reply(GENERAL, message.ts)
    second = await press(slack, first, "results_more")
    assert "`gasket_7`" in second.everything
    alone = await run_command(slack, "search last min:0")
    await slack.press(alone, "results_share")
    public = await answer_with(slack, f"Shared by <@{SOMEONE}>")
    assert public.to == ""


async def test_comparison_is_opened_by_one_and_drawn_by_the_other(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    shared = await slack.upload(VALVE, mention=True)
    answer = await slack.wait_for_reply(GENERAL, shared.ts)
    await slack.press(answer, "results_compare:1")
    for _ in range(1000):
        if any("nothing differs" in view.everything for view in slack.views(SOMEONE)):
            break
        await asyncio.sleep(0.01)
    [view] = slack.views(SOMEONE)
    assert "Both pictures show the same, and nothing differs." in view.everything
    assert [block["type"] for block in view.blocks].count("image") == 1


async def test_forms_are_opened_by_one_and_processed_by_the_other(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    ack = await slack.submit(form, {"files": GASKET})
    assert ack == {"response_action": "clear"}
    assert "`gasket_7`" in (await slack.wait_for_answer()).everything


async def test_failure_in_a_worker_brings_the_form_back(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    await slack.submit(form, {"files": slack.host(GASKET[:200], "broken.png")})
    notice = await slack.wait_for_answer()
    assert "damaged" in notice.text
    await slack.press(notice, "reopen_form")
    assert "`broken.png`" in (await slack.wait_for_view("search_form")).everything


async def test_mistakes_in_a_form_are_shown_at_its_fields(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    await slack.command("")
    refused = await slack.submit(await slack.wait_for_view("search_form"), {})
    assert refused["response_action"] == "errors"
    assert (await web_and_worker.services.storage.inbox.depth()).waiting == 0


async def test_picture_is_added_by_the_button_below_an_answer(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    message = await slack.upload(UNRELATED, mention=True)
    answer = await slack.wait_for_reply(GENERAL, message.ts)
    assert "results_add_this" in action_ids(answer)
    await slack.press(answer, "results_add_this")
    form = await slack.wait_for_view("add_form")
    await slack.submit(form, {"entity": "stranger"})
    await answer_with(slack, "as `stranger`")
    assert len(await images_of(web_and_worker, "parts", "stranger")) == 1


async def test_message_is_looked_up_by_a_shortcut(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    await run_command(slack, "unwatch")
    before = len(slack.transcript)
    await slack.shortcut_message("find_similar", await slack.upload(VALVE))
    assert "`valve_0042`" in (await slack.wait_for_answer(after=before)).everything


async def test_repeated_mention_is_answered_once(slack: FakeSlack, web_and_worker: SlackApp) -> None:
    await slack.say("db", mention=True)
    await answer_with(slack, "`parts`")
    await asyncio.sleep(0.3)
    assert len([message for message in slack.transcript if "`parts`" in message.everything]) == 1


async def test_deferred_request_is_deleted_once_answered(
    slack: FakeSlack, web_and_worker: SlackApp, tmp_path: Path
) -> None:
    await slack.upload(VALVE)
    await run_command(slack, "search last")
    inbox = web_and_worker.services.storage.inbox
    async with asyncio.timeout(5):
        while (await inbox.depth()).waiting:  # noqa: ASYNC110 - it is SQL that changes
            await asyncio.sleep(0.01)
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as database:
        kept = database.execute("SELECT payload FROM inbox WHERE kind = ?", (str(JobKind.REQUEST),)).fetchall()
    assert kept == [("",)]


async def test_person_is_told_if_every_attempt_ended_with_its_process(
    slack: FakeSlack, start: Start, tmp_path: Path
) -> None:
    web = await start(VSEARCH_ROLE="web")
    await slack.command("search https://example.com/a.png")
    inbox = web.services.storage.inbox
    async with asyncio.timeout(5):
        while not (await inbox.depth()).waiting:  # noqa: ASYNC110 - it is SQL that changes
            await asyncio.sleep(0.01)
    for _ in range(len(RETRY_DELAYS_S) + 1):
        [job] = await inbox.claim("one that dies", 1, 0.0)
        assert job.kind is JobKind.REQUEST
        assert await inbox.begin(job)
    values = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_ROLE": "worker"}
    async with build(Settings.from_mapping(values)):
        assert FAILED in (await slack.wait_for_answer()).everything


async def test_command_without_a_worker_is_announced_and_answered_later(
    slack: FakeSlack, start: Start, tmp_path: Path, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_notices, "BUSY_NOTICE_AFTER_S", 0.05)
    own = {"VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_TRUSTED_HOSTS": pictures.address}
    worker = Settings.from_mapping({**slack.environment, **own, "VSEARCH_ROLE": "worker"})
    async with build(worker) as earlier:
        await fill(earlier, "parts", valve_0042=VALVE)
    await start(VSEARCH_ROLE="web")
    await slack.command(f"search {pictures.url('v.png', VALVE)}")
    notice = await slack.wait_for_answer()
    assert (notice.text, notice.to) == (NOT_STARTED_YET, SOMEONE)
    await asyncio.sleep(0.2)
    assert len(slack.transcript) == 1
    async with build(worker):
        await answer_with(slack, "`valve_0042`")
