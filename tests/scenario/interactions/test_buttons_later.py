"""Buttons pressed late, by guests, from older versions, or after their subject was deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp, build
from bot.blocks.wording.errors import OTHER_ORGANISATION, STALE_BUTTON
from bot.blocks.wording.images import FILE_DELETED
from bot.config.settings import Settings
from handlers.slack.connection import socket_mode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, HostedFile, Message
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    act,
    action_ids,
    idle,
    key_of,
    press,
    run_command,
    submit_form,
)
from tests.scenario.support.response_urls import pressed

HOUR = 60 * 60


@asynccontextmanager
async def running(slack: FakeSlack, folder: Path) -> AsyncIterator[SlackApp]:
    """Run the bot within this context."""
    settings = Settings.from_mapping({**slack.environment, "VSEARCH_DATA_DIR": str(folder)})
    token = settings.slack_app_token or ""
    async with build(settings) as app, socket_mode(app.bolt, app.wrapper, token, settings.slack_api_url):
        yield app


async def share_and_wait(slack: FakeSlack, image: bytes, text: str = "") -> Message:
    """Share a picture, and return the answer in its thread."""
    message = await slack.upload(image, text=text, mention=True)
    return await slack.wait_for_reply(GENERAL, message.ts)


def file_of(slack: FakeSlack, answer: Message) -> HostedFile:
    """Return the file that an answer is about."""
    shared = slack.state.find(answer.channel, answer.thread_ts)
    assert shared is not None
    return shared.files[0]


async def test_buttons_work_an_hour_later(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await fill(app, "logos", acme=VALVE)
    first = await share_and_wait(slack, VALVE, "in:parts top:1 min:0")
    slack.pass_time(HOUR)
    more = await press(slack, first, "results_more")
    assert "`gasket_7`" in more.everything
    slack.pass_time(HOUR)
    await act(slack, more, "results_another_database")
    view = await slack.wait_for_view("another_database_form")
    slack.pass_time(HOUR)
    before = len(slack.transcript)
    # The response URL of the press is too old by now.
    await slack.submit(view)
    other = await slack.wait_for_answer(after=before)
    assert "`acme`" in other.everything
    assert other.via == "chat.postEphemeral"
    slack.forgive("too late")


async def test_buttons_work_after_a_restart(slack: FakeSlack, tmp_path: Path) -> None:
    async with running(slack, tmp_path) as app:
        await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
        first = await share_and_wait(slack, VALVE, "top:1 min:0")
        await act(slack, first, "results_add_this")
        view = await slack.wait_for_view("add_form")
        await idle(app)
    async with running(slack, tmp_path):
        await slack.wait_until(lambda: slack.socket_mode.connections == 1)
        assert "`gasket_7`" in (await press(slack, first, "results_more")).everything
        assert "already" in (await submit_form(slack, view, entity="valve_0043")).everything


@pytest.mark.parametrize("action_id", ["results_more", "results_share"])
async def test_deleted_file_is_explained(slack: FakeSlack, start: Start, action_id: str) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    first = await share_and_wait(slack, VALVE, "top:1 min:0")
    mine = await press(slack, first, "results_more")
    await slack.delete_file(file_of(slack, first))
    await idle(app)
    answer = await press(slack, mine, action_id)
    assert answer.text == FILE_DELETED
    # The answer stays, and nobody else gets a message.
    assert slack.current(mine) == mine
    assert [m for m in slack.replies(first.thread_ts) if not m.to] == [first]


async def test_deleted_file_cannot_be_added(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    first = await share_and_wait(slack, VALVE)
    await act(slack, first, "results_add_this")
    view = await slack.wait_for_view("add_form")
    await slack.delete_file(file_of(slack, first))
    await idle(app)
    await slack.submit(view)
    await slack.wait_until(lambda: view.errors == {"database": FILE_DELETED.replace("`", "")})


async def test_deleted_database_is_explained(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await fill(app, "pants", jeans=UNRELATED)
    first = await share_and_wait(slack, VALVE, "in:parts top:1 min:0")
    await app.services.databases.delete(key_of(app, "parts"))
    answer = await press(slack, first, "results_more")
    assert answer.text == "There is no database “parts” here. Did you mean “pants”?"


async def test_without_a_database_the_button_offers_to_create_one(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    first = await share_and_wait(slack, VALVE)
    await app.services.databases.delete(key_of(app, "parts"))
    await act(slack, first, "results_add_this")
    view = await slack.wait_for_view()
    assert "Create a database first" in view.everything


async def test_picture_with_a_dead_url_is_explained(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", valve_0042=VALVE, gasket_7=GASKET)
    mine = await run_command(slack, f"{pictures.url('v.png', VALVE)} top:1 min:0")
    pictures.url("v.png", b"<html>moved</html>")
    answer = await press(slack, mine, "results_share")
    assert len(answer.blocks) == 1
    assert "`valve_0042`" not in answer.everything


@pytest.mark.parametrize(
    "action_id", ["results_more", "results_share", "results_add_this", "results_another_database", "delete_entity"]
)
async def test_people_of_another_organisation_may_not_press(slack: FakeSlack, start: Start, action_id: str) -> None:
    app = await start()
    guest = slack.add_workspace("T0GUEST", "Guests")
    slack.add_channel("C0SHARED", "both", kind="shared", guests=(guest.team,), members=[SOMEONE, "U0GUEST"])
    await fill(app, "parts", valve_0042=VALVE)
    message = await slack.upload(VALVE, channel="C0SHARED", mention=True)
    answer = await slack.wait_for_reply("C0SHARED", message.ts)
    before = len(slack.transcript)
    value = '{"file":"F0001","database":"parts","entity":"valve_0042","channel":"C0SHARED"}'
    await slack.deliver(
        "interactive", pressed(slack, answer, {"action_id": action_id, "value": value}, user="U0GUEST", team="T0GUEST")
    )
    notice = await slack.wait_for_answer(to="U0GUEST", after=before)
    assert notice.text == OTHER_ORGANISATION
    assert slack.views("U0GUEST") == []
    assert (await app.services.databases.find(key_of(app, "parts"))).images == 1


FORGED = [
    "",
    "null",
    "[]",
    "7",
    "{",
    '{"page":2}',
    '{"top":"many"}',
    '{"top":1e999}',
    '{"minimum":NaN}',
    '{"offset":null}',
    "[" * 1500,
]


@pytest.mark.parametrize("value", FORGED)
async def test_invalid_button_value_gets_one_sentence(slack: FakeSlack, start: Start, value: str) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    first = await share_and_wait(slack, VALVE, "top:1 min:0")
    for action_id in action_ids(first):
        before = len(slack.transcript)
        await slack.press(first, action_id, value=value)
        answer = await slack.wait_for_answer(after=before)
        assert answer.text == STALE_BUTTON, (action_id, value)
        assert len(answer.blocks) == 1
    assert slack.views() == []


@pytest.mark.parametrize(
    ("action_id", "value"),
    [
        ("results_more", '{"file":"F0001","database":"Parts!"}'),
        ("results_more", '{"file":"F0001","database":""}'),
        ("results_more", '{"file":"F9999","database":"parts"}'),
        ("results_more", '{"database":"parts"}'),
        ("results_more", '{"url":"file:///etc/passwd","database":"parts"}'),
        ("results_more", '{"file":"F0001","database":"parts","minimum":11}'),
        ("list_page", '{"database":"parts","offset":-8}'),
        ("list_page", '{"database":"parts","offset":99999999999999999999999}'),
        ("delete_entity", '{"database":"parts","entity":"<!channel>"}'),
        ("results_sing", "{}"),
        ("x" * 255, ""),
        ("unwatch_channel", "{}"),
    ],
)
async def test_forged_presses_get_one_sentence(slack: FakeSlack, start: Start, action_id: str, value: str) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    first = await share_and_wait(slack, VALVE)
    before = len(slack.transcript)
    forged = pressed(slack, first, {"action_id": action_id, "value": value})
    await slack.deliver("interactive", forged)
    answer = await slack.wait_for_answer(after=before)
    assert len(answer.blocks) == 1
    assert "wrong on my side" not in answer.text
    assert (await app.services.databases.find(key_of(app, "parts"))).images == 1


@pytest.mark.parametrize("number", ['"top":-5', '"offset":-9'])
async def test_numbers_out_of_range_are_clamped(slack: FakeSlack, start: Start, number: str) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    first = await share_and_wait(slack, VALVE, "top:1 min:0")
    before = len(slack.transcript)
    value = f'{{"file":"{file_of(slack, first).id}","database":"parts",{number}}}'
    await slack.press(first, "results_more", value=value)
    assert "`valve_0042`" in (await slack.wait_for_answer(after=before)).everything


async def test_listing_in_an_unknown_order_starts_with_the_newest(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    first = await share_and_wait(slack, VALVE)
    before = len(slack.transcript)
    value = '{"database":"parts","order":"sideways"}'
    await slack.deliver("interactive", pressed(slack, first, {"action_id": "list_page:next", "value": value}))
    assert "newest first" in (await slack.wait_for_answer(after=before)).everything
