"""Deletions in Slack before, during and after an add remove the image from index, catalogue and disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.services.images.addition import AddService
from tests.fakes.slack import FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, run_command, shown_pictures
from tests.scenario.support.shares import entities, images_in, reply, running, settled, watch
from tests.scenario.support.web_bot import web_bot

Take = Callable[[FakeSlack, Message], Awaitable[None]]


async def file_deleted(slack: FakeSlack, shared: Message) -> None:
    for file in shared.files:
        await (await slack.delete_file(file))


async def message_deleted(slack: FakeSlack, shared: Message) -> None:
    await (await slack.delete_message(shared))


async def answered_message_deleted(slack: FakeSlack, shared: Message) -> None:
    """Delete an answered message. It has a thread, so Slack leaves a tombstone."""
    await slack.say("nice", thread_ts=shared.ts)
    await (await slack.delete_message(shared))


async def file_unshared(slack: FakeSlack, shared: Message) -> None:
    for file in shared.files:
        await (await slack.unshare_file(file, shared))


ways = pytest.mark.parametrize("take", [file_deleted, message_deleted, answered_message_deleted, file_unshared])


def on_disk(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "pictures").rglob("*.jpg"))


def uploads_in_slack(slack: FakeSlack) -> list[str]:
    """Return the ids of the bot's uploads that still exist."""
    return [file for file in slack.state.uploads if not slack.state.files[file].deleted]


@asynccontextmanager
async def hold_method(
    monkeypatch: pytest.MonkeyPatch, what: type, name: str
) -> AsyncIterator[tuple[asyncio.Event, asyncio.Event]]:
    """Block all callers of a method within this context.

    The first event says that somebody called. Set the second to let them continue.
    """
    begun, go_on, method = asyncio.Event(), asyncio.Event(), getattr(what, name)

    async def waits(*given: object, **named: object) -> object:
        begun.set()
        await go_on.wait()
        return await method(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(what, name, waits)
        yield begun, go_on


async def collecting(start: Start) -> SlackApp:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    return app


@ways
async def test_deletion_after_an_add_removes_everything(
    slack: FakeSlack, start: Start, tmp_path: Path, take: Take
) -> None:
    app = await collecting(start)
    shared = await slack.upload(slack.host(VALVE, "valve.heic"))
    kept = await slack.upload(slack.host(GASKET, "gasket.heic"))
    await slack.wait_for_reaction(shared)
    await slack.wait_for_reaction(kept)
    # Show both once, so that Slack has uploads of both.
    await reply(slack, await slack.upload(VALVE, text="min:0", mention=True))
    assert len(uploads_in_slack(slack)) == len(on_disk(tmp_path / "data")) == 2
    await take(slack, shared)
    await settled(slack, app)
    [left] = await images_in(app)
    assert left.entity == "gasket"
    assert on_disk(tmp_path / "data") == [left.digest]
    assert len(uploads_in_slack(slack)) == 1
    answer = await reply(slack, await slack.upload(VALVE, text="min:0", mention=True))
    assert "`valve`" not in answer.everything
    assert "`gasket`" in answer.everything
    assert len(uploads_in_slack(slack)) == 1


@ways
@pytest.mark.parametrize("mode", [ChannelMode.LOOKUP, ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_deletion_before_the_job_runs_prevents_the_add(
    slack: FakeSlack, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, take: Take, mode: ChannelMode
) -> None:
    app = await collecting(start)
    await watch(app, mode, "parts")
    inbox = type(app.services.storage.inbox)

    async def nothing(*_: object) -> tuple[()]:
        return ()

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "claim", nothing)
        shared = await slack.upload(slack.host(VALVE, "valve.png"))
        await take(slack, shared)
        await wait_for_jobs(app, 2)
    app.worker.wake()
    await settled(slack, app)
    assert (await images_in(app), on_disk(tmp_path / "data")) == ([], [])
    for message in slack.replies(shared.ts):
        # The share came first, but its file is gone.
        assert (take, mode) == (file_deleted, ChannelMode.LOOKUP)
        assert "no longer has that file" in message.everything


@ways
@pytest.mark.parametrize("step", ["download", "add"])
async def test_deletion_during_an_add_removes_the_image(
    slack: FakeSlack, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, take: Take, step: str
) -> None:
    app = await collecting(start)
    what, name = (type(app.services.normaliser), "picture_and_jpeg") if step == "download" else (AddService, "add_all")
    async with hold_method(monkeypatch, what, name) as (begun, go_on):
        shared = await slack.upload(slack.host(VALVE, "valve.png"))
        await begun.wait()
        await take(slack, shared)
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        await settled(slack, app)
    assert (await images_in(app), on_disk(tmp_path / "data")) == ([], [])


@ways
async def test_deletion_during_an_add_by_command_removes_the_image(
    slack: FakeSlack, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: Take
) -> None:
    app = await collecting(start)
    await watch(app, ChannelMode.OFF)
    shared = await slack.upload(slack.host(VALVE, "valve.png"))
    await settled(slack, app)
    async with hold_method(monkeypatch, AddService, "add_all") as (begun, go_on):
        await slack.command("add last in:parts")
        await begun.wait()
        await take(slack, shared)
        await wait_for_jobs(app, 0)
        go_on.set()
        notice = await slack.wait_for_answer()
    assert "deleted" in notice.text
    assert (await images_in(app), on_disk(tmp_path / "data")) == ([], [])


@pytest.mark.parametrize("take", [message_deleted, file_unshared])
async def test_deletion_during_an_add_by_shortcut_removes_the_image(
    slack: FakeSlack, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: Take
) -> None:
    app = await collecting(start)
    await watch(app, ChannelMode.OFF)
    shared = await slack.upload(slack.host(VALVE, "valve.png"))
    await settled(slack, app)
    await slack.shortcut_message("add_to_database", shared)
    form = await slack.wait_for_view("add_form")
    async with hold_method(monkeypatch, AddService, "add_all") as (begun, go_on):
        await slack.submit(form, {"database": "parts", "entity": "valve"})
        await begun.wait()
        await take(slack, shared)
        await wait_for_jobs(app, 0)
        go_on.set()
        # The form closes if the work takes long.
        await slack.wait_until(
            lambda: any("deleted" in text for text in (str(form.errors), *(one.text for one in slack.transcript[-1:])))
        )
    assert (await images_in(app), on_disk(tmp_path / "data")) == ([], [])


@ways
async def test_deletion_during_a_lookup_prevents_the_answer(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, take: Take
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    async with hold_method(monkeypatch, type(app.services.normaliser), "picture") as (begun, go_on):
        shared = await slack.upload(VALVE)
        await begun.wait()
        await take(slack, shared)
        await wait_for_jobs(app, 1)
        go_on.set()
        await settled(slack, app)
    assert slack.replies(shared.ts) == []


async def wait_for_jobs(app: SlackApp, jobs: int) -> None:
    """Wait until this many jobs are left."""
    async with asyncio.timeout(10):
        while (await app.services.storage.inbox.depth()).waiting != jobs:  # noqa: ASYNC110 - the database changes
            await asyncio.sleep(0.002)


async def test_deleting_one_of_several_files_leaves_the_others(slack: FakeSlack, start: Start) -> None:
    app = await collecting(start)
    shared = await slack.upload(slack.host(VALVE, "one.png"), slack.host(GASKET, "two.png"))
    await slack.wait_for_reaction(shared)
    await (await slack.delete_file(shared.files[0]))
    await settled(slack, app)
    assert await entities(app) == ["two"]


async def test_picture_shared_twice_is_deleted_with_its_original_message(slack: FakeSlack, start: Start) -> None:
    app = await collecting(start)
    first = await slack.upload(slack.host(VALVE, "one.png"))
    await slack.wait_for_reaction(first)
    second = await slack.upload(slack.host(VALVE, "two.png"))
    await slack.wait_for_reaction(second)
    await (await slack.delete_message(second))
    await settled(slack, app)
    assert await entities(app) == ["one"]
    await (await slack.delete_message(first))
    await settled(slack, app)
    assert await entities(app) == []


async def test_image_is_deleted_from_every_database_however_it_was_added(slack: FakeSlack, start: Start) -> None:
    app = await collecting(start)
    await fill(app, "logos")
    shared = await slack.upload(slack.host(VALVE, "valve.png"))
    await slack.wait_for_reaction(shared)
    assert "Added" in (await run_command(slack, "add last in:logos id:acme")).text
    await (await slack.delete_file(shared.files[0]))
    await settled(slack, app)
    assert (await entities(app), await entities(app, "logos")) == ([], [])


async def test_image_from_a_form_is_deleted_with_its_file(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    await slack.submit(form, {"files": [VALVE], "database": "parts"})
    answer = await slack.wait_for_answer()
    await slack.press(answer, "results_add_this")
    form = await slack.wait_for_view("add_form")
    await slack.submit(form, {"entity": "valve_0042"})
    await slack.wait_for(lambda message: "Added" in message.text)
    assert await entities(app) == ["valve_0042"]
    [record] = await images_in(app)
    assert record.origin is not None
    await (await slack.delete_file(slack.state.files[record.origin.file_id]))
    await settled(slack, app)
    assert await entities(app) == []


async def test_deletions_during_downtime_are_processed(slack: FakeSlack, tmp_path: Path) -> None:
    async with running(slack, tmp_path) as app:
        await fill(app, "parts")
        await watch(app, ChannelMode.COLLECT, "parts")
        shared = await slack.upload(slack.host(VALVE, "valve.png"))
        await slack.wait_for_reaction(shared)
    # Slack repeats the delivery until it is acknowledged.
    deleting = await slack.delete_file(shared.files[0])
    async with running(slack, tmp_path) as app:
        await deleting
        await settled(slack, app)
        assert await entities(app) == []


async def test_links_to_a_deleted_picture_are_dead(slack: FakeSlack, tmp_path: Path) -> None:
    async with web_bot(slack, tmp_path, PUBLIC_BASE_URL="https://vsearch.example.com") as bot:
        await fill(bot.app, "parts")
        await watch(bot.app, ChannelMode.COLLECT, "parts")
        shared = await slack.upload(slack.host(VALVE, "valve.png"))
        await slack.wait_for_reaction(shared)
        answer = await reply(slack, await slack.upload(VALVE, mention=True))
        [address] = [picture["image_url"] for picture in shown_pictures(answer)]
        path = urlsplit(address).path
        assert (await bot.browser.get(path)).headers["content-type"] == "image/jpeg"
        await (await slack.delete_message(shared))
        await wait_for_jobs(bot.app, 0)
        gone = await bot.browser.get(path)
        assert (gone.status_code, gone.headers["content-type"]) == (404, "text/plain; charset=utf-8")


async def test_deleting_the_bots_upload_deletes_no_image(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await reply(slack, await slack.upload(VALVE))
    [upload] = uploads_in_slack(slack)
    await (await slack.delete_file(slack.state.files[upload]))
    await settled(slack, app)
    assert await entities(app) == ["valve_0042"]
    answer = await reply(slack, await slack.upload(VALVE))
    [shown] = shown_pictures(answer)
    assert shown["slack_file"]["id"] == uploads_in_slack(slack)[0] != upload
