"""Installation in an Enterprise Grid organisation: one token, and separate data for each workspace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.blocks.ids import ActionId, ShortcutId
from handlers.inbox.middleware import InboxMiddleware
from tests.fakes.slack import GENERAL, FakeSlack
from tests.fakes.slack.payloads import event_body
from tests.fakes.slack.values import Json
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.web_bot import (
    STATE_SECRET,
    WebBot,
    databases,
    install,
    oauth_settings,
    stock,
    wait_until_forgotten,
    web_bot,
)

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")
GRID = "E0GRID"
EAST, WEST, APART = "T0EAST", "T0WEST", "T0APART"
CHANNELS = {EAST: "C0EAST", WEST: "C0WEST", APART: "C0APART"}


@pytest.fixture(autouse=True)
def workspaces(slack: FakeSlack) -> None:
    for team, channel in CHANNELS.items():
        slack.add_workspace(team, team, bot_user="U0GRIDBOT", enterprise="" if team == APART else GRID)
        slack.add_channel(channel, "general", team=team)


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[WebBot]:
    async with web_bot(slack, tmp_path, **oauth_settings(slack)) as running:
        assert (await install(slack, running.browser, EAST, for_organisation=True)).status_code == 200
        assert (await install(slack, running.browser, APART)).status_code == 200
        yield running


async def make_by_command(slack: FakeSlack, team: str, name: str) -> None:
    before = len(slack.transcript)
    await slack.command(f"db create {name}", channel=CHANNELS[team])
    await slack.wait_for_answer(after=before)


async def test_each_workspace_of_the_organisation_has_its_own_data(slack: FakeSlack, bot: WebBot) -> None:
    await make_by_command(slack, EAST, "east_parts")
    await make_by_command(slack, WEST, "west_parts")
    assert await databases(bot, EAST) == ["east_parts"]
    assert await databases(bot, WEST) == ["west_parts"]
    await stock(bot.app, WEST, "more", valve_0042=VALVE)
    shared = await slack.upload(VALVE, channel=CHANNELS[WEST], text="in:more", mention=True)
    assert "`valve_0042`" in (await slack.wait_for_reply(CHANNELS[WEST], shared.ts)).everything
    assert {call.token for call in slack.calls("chat.postMessage")} == {slack.state.workspace(EAST).bot_token}


async def test_buttons_modals_and_shortcuts_find_their_workspace(slack: FakeSlack, bot: WebBot) -> None:
    await stock(bot.app, WEST, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE, channel=CHANNELS[WEST])
    answer = await slack.wait_for_reply(CHANNELS[WEST], shared.ts)
    await slack.press(answer, ActionId.ADD_THIS)
    await slack.submit(await slack.wait_for_view("add_form"))
    await slack.shortcut_global(ShortcutId.SEARCH_BY_IMAGE, team=WEST, channel=CHANNELS[WEST])
    assert "parts" in (await slack.wait_for_view("search_form")).everything
    await slack.open_home(team=WEST)
    assert "parts" in (await slack.wait_for_home()).everything


async def test_uninstalling_from_the_organisation_deletes_all_its_workspaces(slack: FakeSlack, bot: WebBot) -> None:
    # The bot knows one of them by a command, the other by a share.
    await make_by_command(slack, EAST, "east_parts")
    await stock(bot.app, WEST, "west_parts", valve=VALVE)
    await slack.upload(VALVE, channel=CHANNELS[WEST])
    await stock(bot.app, APART, "apart_parts", gasket=GASKET)
    await slack.acknowledged(3)
    await asyncio.gather(*slack.uninstall(team=EAST))
    await wait_until_forgotten(bot, EAST, WEST)
    assert await databases(bot, EAST) == await databases(bot, WEST) == []
    assert await databases(bot, APART) == ["apart_parts"]
    assert await bot.app.services.storage.installations(STATE_SECRET).workspaces() == (("", APART),)
    before = len(slack.transcript)
    await slack.command("db", channel=CHANNELS[WEST])
    assert "another workspace" in (await slack.wait_for_answer(after=before)).text


async def test_withdrawing_from_one_workspace_deletes_that_one(slack: FakeSlack, bot: WebBot) -> None:
    for team, name in ((EAST, "east_parts"), (WEST, "west_parts")):
        await make_by_command(slack, team, name)
    await slack.event({"type": "team_access_revoked", "team_ids": [WEST]}, team=EAST)
    await wait_until_forgotten(bot, WEST)
    assert await databases(bot, WEST) == []
    assert await databases(bot, EAST) == ["east_parts"]
    shared = await slack.upload(VALVE, channel=CHANNELS[EAST])
    assert "east_parts" in (await slack.wait_for_reply(CHANNELS[EAST], shared.ts)).everything


async def test_uninstall_of_one_workspace_does_not_drop_another_that_covers_more(slack: FakeSlack, bot: WebBot) -> None:
    for team in (EAST, WEST):
        await make_by_command(slack, team, "parts")
    storage = bot.app.services.storage
    middleware = InboxMiddleware(storage.inbox, storage.catalogue, bot.app.worker.wake)
    events: list[Json] = [{"type": "app_uninstalled"}, {"type": "team_access_revoked", "team_ids": [EAST, WEST]}]
    # Both wait before the first is run.
    async with storage.unit():
        for event in events:
            body = event_body(slack.state, slack.state.workspace(EAST), event)
            job = middleware.job_of(body | {"team_id": EAST, "is_enterprise_install": False, "authorizations": []})
            assert job is not None
            await storage.inbox.put(job)
    await wait_until_forgotten(bot, EAST)
    assert (await databases(bot, EAST), await databases(bot, WEST)) == ([], [])


async def test_uninstalling_after_a_reinstall_deletes_all_again(slack: FakeSlack, bot: WebBot) -> None:
    for name in ("first", "second"):
        await make_by_command(slack, WEST, name)
        await asyncio.gather(*slack.uninstall(team=EAST))
        await wait_until_forgotten(bot, WEST)
        assert await databases(bot, WEST) == []
        await install(slack, bot.browser, EAST, for_organisation=True)


async def test_configured_token_is_never_used_for_the_organisation(slack: FakeSlack, tmp_path: Path) -> None:
    async with web_bot(slack, tmp_path, **oauth_settings(slack, SLACK_BOT_TOKEN=slack.state.bot_token)) as bot:
        await install(slack, bot.browser, EAST, for_organisation=True)
        await stock(bot.app, WEST, "parts", valve=VALVE)
        away, home = await slack.upload(VALVE, channel=CHANNELS[WEST]), await slack.upload(VALVE)
        assert "`valve`" in (await slack.wait_for_reply(CHANNELS[WEST], away.ts)).everything
        await slack.wait_for_reply(GENERAL, home.ts)
        before = len(slack.transcript)
        await slack.say("db", channel=CHANNELS[WEST], mention=True)
        assert "`parts`" in (await slack.wait_for_answer(after=before)).everything
        posts = [*slack.calls("chat.postMessage"), *slack.calls("chat.postEphemeral")]
        tokens = {(call.method, call.args["channel"], call.token) for call in posts}
        organisation = slack.state.workspace(EAST).bot_token
        assert tokens == {
            ("chat.postMessage", GENERAL, "xoxb-fake-bot-token"),
            ("chat.postMessage", CHANNELS[WEST], organisation),
            ("chat.postEphemeral", CHANNELS[WEST], organisation),
        }
