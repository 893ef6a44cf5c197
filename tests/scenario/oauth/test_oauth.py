"""Installations in many workspaces: each has its own encrypted token, and its data is deleted with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.app.slack_app import build
from bot.config.settings import Settings
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import SettingsError
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.slack.oauth_states import SignedOAuthStates
from handlers.slack.connection import socket_mode
from handlers.slack.scopes import SCOPES
from tests.fakes.slack import FakeSlack
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.web_bot import (
    PUBLIC,
    STATE_SECRET,
    WebBot,
    begin_install,
    finish_install,
    install,
    oauth_settings,
    stock,
    wait_until_forgotten,
    web_bot,
)

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")
ONE, TWO = "T0ONE", "T0TWO"
C_ONE, C_TWO = "C0ONE", "C0TWO"


@pytest.fixture(autouse=True)
def workspaces(slack: FakeSlack) -> None:
    for team, name, channel in ((ONE, "One", C_ONE), (TWO, "Two", C_TWO)):
        slack.add_workspace(team, name)
        slack.add_channel(channel, "general", team=team)


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[WebBot]:
    async with web_bot(slack, tmp_path, **oauth_settings(slack)) as running:
        yield running


def files_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_install_page_requests_the_manifests_scopes_and_prevents_forgery(bot: WebBot) -> None:
    begun = await begin_install(bot.browser)
    asked = parse_qs(urlsplit(begun.authorize_url).query)
    assert set(asked["scope"][0].split(",")) == set(SCOPES)
    assert asked["redirect_uri"] == [f"{PUBLIC}/slack/oauth_redirect"]
    assert asked["state"][0] in begun.cookie
    cookie = (await bot.browser.get("/slack/install")).headers["set-cookie"]
    assert "Secure" in cookie
    assert "HttpOnly" in cookie


async def test_two_workspaces_are_separate(slack: FakeSlack, bot: WebBot) -> None:
    for team in (ONE, TWO):
        page = await install(slack, bot.browser, team)
        assert page.status_code == 200
        assert "Thank you" in page.text
    await stock(bot.app, ONE, "parts", valve_0042=VALVE)
    await stock(bot.app, TWO, "logos", acme=GASKET)
    first, second = await slack.upload(VALVE, channel=C_ONE), await slack.upload(VALVE, channel=C_TWO)
    answer = await slack.wait_for_reply(C_ONE, first.ts)
    assert "`valve_0042`" in answer.everything
    other = await slack.wait_for_reply(C_TWO, second.ts)
    assert "valve_0042" not in other.everything
    assert "`logos`" in other.everything
    for text, channel, there, elsewhere in (("db", C_ONE, "parts", "logos"), ("db", C_TWO, "logos", "parts")):
        before = len(slack.transcript)
        await slack.command(text, channel=channel)
        notice = await slack.wait_for_answer(after=before)
        assert there in notice.everything
        assert elsewhere not in notice.everything
    posts = {call.args["channel"]: call.token for call in slack.calls("chat.postMessage")}
    assert posts == {C_ONE: slack.state.workspace(ONE).bot_token, C_TWO: slack.state.workspace(TWO).bot_token}


async def test_tokens_are_encrypted_at_rest(slack: FakeSlack, bot: WebBot, tmp_path: Path) -> None:
    slack.oauth.expires_in = 43_200
    await install(slack, bot.browser, ONE)
    token, refresh = slack.state.workspace(ONE).bot_token, next(iter(slack.oauth.refresh_tokens))
    kept = await asyncio.to_thread(files_of, tmp_path)
    for secret in (token, refresh, slack.oauth.client_secret, STATE_SECRET):
        assert secret.encode() not in kept
    assert ONE.encode() in kept


async def test_state_works_once(slack: FakeSlack, bot: WebBot) -> None:
    begun = await begin_install(bot.browser)
    redirect = slack.approve_install(begun.authorize_url, team=ONE)
    assert (await finish_install(bot.browser, redirect, begun.cookie)).status_code == 200
    again = slack.approve_install(begun.authorize_url, team=TWO)
    assert (await finish_install(bot.browser, again, begun.cookie)).status_code == 401
    assert len(slack.calls("oauth.v2.access")) == 1


async def test_state_of_another_browser_is_refused(slack: FakeSlack, bot: WebBot) -> None:
    begun, other = await begin_install(bot.browser), await begin_install(bot.browser)
    redirect = slack.approve_install(begun.authorize_url, team=ONE)
    for cookie in ("", other.cookie):
        assert (await finish_install(bot.browser, redirect, cookie)).status_code == 400
    assert slack.calls("oauth.v2.access") == []
    # That attempt did not use it up.
    assert (await finish_install(bot.browser, redirect, begun.cookie)).status_code == 200


async def test_expired_state_is_refused(slack: FakeSlack, bot: WebBot) -> None:
    begun = await begin_install(bot.browser)
    storage = bot.app.services.storage
    expired = await SignedOAuthStates(storage._database, await storage.keyring.key("oauth_states"), 0).async_issue()
    (issued,) = parse_qs(urlsplit(begun.authorize_url).query)["state"]
    redirect = slack.approve_install(begun.authorize_url.replace(issued, expired), team=ONE)
    assert (await finish_install(bot.browser, redirect, begun.cookie.replace(issued, expired))).status_code == 401
    assert slack.calls("oauth.v2.access") == []


async def test_two_installations_cannot_share_a_state(slack: FakeSlack, bot: WebBot) -> None:
    begun = await begin_install(bot.browser)
    redirects = [slack.approve_install(begun.authorize_url, team=team) for team in (ONE, TWO)]
    pages = await asyncio.gather(*(finish_install(bot.browser, one, begun.cookie) for one in redirects))
    assert [page.status_code == 200 for page in pages].count(True) == 1
    assert len(await bot.app.services.storage.installations(STATE_SECRET).workspaces()) == 1


async def test_refused_code_and_cancelled_install_are_explained(
    slack: FakeSlack, bot: WebBot, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await begin_install(bot.browser)
    redirect = slack.approve_install(begun.authorize_url, team=ONE)
    slack.oauth.codes.clear()
    page = await finish_install(bot.browser, redirect, begun.cookie)
    assert page.status_code == 401
    cancelled = await bot.browser.get("/slack/oauth_redirect?error=access_denied&state=x")
    assert cancelled.status_code == 200
    assert "Something Went Wrong" in cancelled.text
    assert await bot.app.services.storage.installations(STATE_SECRET).workspaces() == ()
    assert "raised" not in caplog.text


async def test_slack_failure_during_install_is_reported(slack: FakeSlack, bot: WebBot) -> None:
    begun = await begin_install(bot.browser)
    redirect = slack.approve_install(begun.authorize_url, team=ONE)
    slack.break_next("oauth.v2.access", times=9)
    page = await finish_install(bot.browser, redirect, begun.cookie)
    assert page.status_code in {401, 503}
    slack.state.planned.clear()
    assert (await install(slack, bot.browser, ONE)).status_code == 200


async def test_start_with_another_encryption_secret_ends_with_a_message(slack: FakeSlack, tmp_path: Path) -> None:
    async with web_bot(slack, tmp_path, **oauth_settings(slack)) as bot:
        await install(slack, bot.browser, ONE)
    values = {**slack.environment, **oauth_settings(slack), "VSEARCH_DATA_DIR": str(tmp_path)}
    with pytest.raises(SettingsError, match="SLACK_STATE_SECRET is not the one"):
        async with build(Settings.from_mapping({**values, "SLACK_STATE_SECRET": "a-secret-of-somebody-else"})):
            pass
    async with web_bot(slack, tmp_path, **oauth_settings(slack)):
        await slack.command("help", channel=C_ONE)
        assert "Find similar images" in (await slack.wait_for_answer()).everything


def rows_of(tmp_path: Path, workspace: str) -> set[str]:
    """Return the tables that have rows of a workspace. For the inbox, return the kinds of its jobs."""
    connection = sqlite3.connect(tmp_path / "vsearch.db")
    found = set()
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for column in sorted({"workspace", "id"} & columns - ({"id"} if "workspace" in columns else set())):
            for row in connection.execute(f"SELECT * FROM {table} WHERE {column} = ?", (workspace,)):
                found.add(f"{table} {row[1]}" if table == "inbox" else table)
    connection.close()
    return found


async def fill_both(slack: FakeSlack, bot: WebBot) -> None:
    for team, channel, name in ((ONE, C_ONE, "parts"), (TWO, C_TWO, "logos")):
        await install(slack, bot.browser, team)
        await stock(bot.app, team, name, valve=VALVE, gasket=GASKET)
        binding = ChannelBinding(WorkspaceId(team), channel, ChannelMode.COLLECT, DatabaseName(name), None, "U1")
        await bot.app.services.storage.bindings.put(binding)


@pytest.mark.parametrize("how", ["uninstalled", "tokens revoked"])
async def test_uninstalling_deletes_all_data_of_the_workspace_only(
    slack: FakeSlack, bot: WebBot, tmp_path: Path, how: str
) -> None:
    await fill_both(slack, bot)
    stranger = encoded(photo(320, 240, seed=9), "PNG")
    shared = await slack.upload(stranger, channel=C_ONE)
    await slack.wait_for_reaction(shared)
    if how == "uninstalled":
        await asyncio.gather(*slack.uninstall(team=ONE))
    else:
        await slack.revoke_tokens(team=ONE)
    await wait_until_forgotten(bot, ONE)
    assert await asyncio.to_thread(rows_of, tmp_path, ONE) == {"inbox uninstall", "inbox_files"}
    # Pictures that both had remain for the other workspace. The picture that only this one had is deleted.
    pictures = [path for path in (tmp_path / "pictures").rglob("*.jpg") if path.is_file()]
    assert len(pictures) == 2
    slack.add_channel("C0TWOB", "lookups", team=TWO)
    asked = await slack.upload(VALVE, channel="C0TWOB")
    assert "`valve`" in (await slack.wait_for_reply("C0TWOB", asked.ts)).everything
    assert await bot.app.services.storage.installations(STATE_SECRET).workspaces() == (("", TWO),)


async def test_reinstalling_starts_with_no_data(slack: FakeSlack, bot: WebBot) -> None:
    await fill_both(slack, bot)
    await asyncio.gather(*slack.uninstall(team=ONE))
    await wait_until_forgotten(bot, ONE)
    assert (await install(slack, bot.browser, ONE)).status_code == 200
    await slack.command("db", channel=C_ONE)
    notice = await slack.wait_for_answer()
    assert "parts" not in notice.everything
    assert notice.via == "response_url"


async def test_command_in_a_workspace_without_the_app_says_so(slack: FakeSlack, bot: WebBot) -> None:
    await slack.command("db", channel=C_ONE)
    assert "another workspace" in (await slack.wait_for_answer()).text


async def test_configured_token_works_next_to_installations(slack: FakeSlack, tmp_path: Path) -> None:
    settings = oauth_settings(slack, SLACK_BOT_TOKEN=slack.state.bot_token)
    async with web_bot(slack, tmp_path, **settings) as bot:
        await install(slack, bot.browser, ONE)
        await stock(bot.app, slack.state.team, "mine", valve=VALVE)
        await stock(bot.app, ONE, "parts", gasket=GASKET)
        home, away = await slack.upload(VALVE), await slack.upload(GASKET, channel=C_ONE)
        assert "`mine`" in (await slack.wait_for_reply(home.channel, home.ts)).everything
        assert "`parts`" in (await slack.wait_for_reply(C_ONE, away.ts)).everything
        tokens = {call.args["channel"]: call.token for call in slack.calls("chat.postMessage")}
        assert tokens == {home.channel: "xoxb-fake-bot-token", C_ONE: slack.state.workspace(ONE).bot_token}
        assert (await bot.browser.get("/readyz")).json()["checks"]["slack"] == "ok"


async def test_installations_work_over_socket_mode(slack: FakeSlack, tmp_path: Path) -> None:
    app_token = slack.environment["SLACK_APP_TOKEN"]
    settings = oauth_settings(slack, SLACK_APP_TOKEN=app_token, SLACK_SIGNING_SECRET="")
    async with web_bot(slack, tmp_path, **settings) as bot:
        slack.http_mode = None
        async with socket_mode(bot.app.bolt, bot.app.wrapper, app_token, slack.api_url):
            assert (await bot.browser.post("/slack/events", content=b"{}")).status_code == 404
            await install(slack, bot.browser, ONE)
            await stock(bot.app, ONE, "parts", valve=VALVE)
            shared = await slack.upload(VALVE, channel=C_ONE)
            assert "`valve`" in (await slack.wait_for_reply(C_ONE, shared.ts)).everything


async def test_readiness_lists_slack_before_any_installation(slack: FakeSlack, bot: WebBot) -> None:
    answer = await bot.browser.get("/readyz")
    checks = dict.fromkeys(("storage", "search", "pictures", "slack"), "ok")
    assert answer.json() == {"ready": True, "checks": checks}
    assert {call.method for call in slack.state.calls} == {"auth.test"}
    assert {call.token for call in slack.state.calls} == {""}


async def test_installation_through_the_page_adopts_nothing(slack: FakeSlack, bot: WebBot) -> None:
    catalogue = bot.app.services.storage.catalogue
    local = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("ours"))
    await bot.app.services.databases.create(local)
    assert (await install(slack, bot.browser, ONE)).status_code == 200
    shared = await slack.upload(VALVE, channel=C_ONE)
    await slack.wait_for_reply(C_ONE, shared.ts)
    assert [info.key for info in await catalogue.databases(LOCAL_WORKSPACE)] == [local]
    assert await catalogue.databases(WorkspaceId(ONE)) == ()
