"""Token rotation: whoever first needs an expiring token renews it, once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Bot

from bot.domain.errors import BackendDown
from bot.storage.slack.installations import SqlInstallations
from handlers.inbox.middleware import InboxMiddleware
from handlers.slack import installed_workspaces
from handlers.slack.installed_workspaces import InstalledClients
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.payloads import event_body, share_event
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.web_bot import (
    STATE_SECRET,
    WebBot,
    install,
    oauth_settings,
    stock,
    wait_until_forgotten,
    web_bot,
)

VALVE = encoded(photo(640, 480, seed=1), "PNG")
ONE, C_ONE = "T0ONE", "C0ONE"
SOON_S, LATER_S = 3600, 43_200


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[WebBot]:
    """A bot installed in one workspace with a token that lasts one hour. Renewed ones last twelve."""
    slack.add_workspace(ONE, "One")
    slack.add_channel(C_ONE, "general", team=ONE)
    slack.oauth.expires_in = SOON_S
    async with web_bot(slack, tmp_path, **oauth_settings(slack)) as running:
        await install(slack, running.browser, ONE)
        await stock(running.app, ONE, "parts", valve_0042=VALVE)
        slack.oauth.expires_in = LATER_S
        yield running


def rotations(slack: FakeSlack) -> int:
    return len([call for call in slack.calls("oauth.v2.access") if call.args.get("grant_type") == "refresh_token"])


def let_token_expire(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the token expire before anybody uses it."""
    dead = slack.state.workspace(ONE).bot_token
    slack.expire_token(team=ONE)
    monkeypatch.setattr(InstalledClients, "_is_valid_for", lambda _self, bot, _seconds: bot.bot_token != dead)


async def kept_expiry(bot: WebBot) -> float:
    store = bot.app.services.storage.installations(STATE_SECRET)
    found = await store.async_find_bot(enterprise_id=None, team_id=ONE)
    assert found is not None
    return float(found.bot_token_expires_at or 0)


async def test_delivery_renews_a_token_that_expires_soon(slack: FakeSlack, bot: WebBot) -> None:
    before = slack.state.workspace(ONE).bot_token
    await slack.command("help", channel=C_ONE)
    await slack.wait_for_answer()
    after = slack.state.workspace(ONE).bot_token
    assert after != before
    assert await kept_expiry(bot) > time.time() + LATER_S - 60
    shared = await slack.upload(VALVE, channel=C_ONE)
    assert "`valve_0042`" in (await slack.wait_for_reply(C_ONE, shared.ts)).everything
    assert {call.token for call in slack.calls("chat.postMessage")} == {after}
    assert rotations(slack) == 1


async def test_worker_renews_the_token(slack: FakeSlack, bot: WebBot) -> None:
    # Another process received the share, so the worker is the first to need a token.
    channel = slack.state.channels[C_ONE]
    channel.bot_is_member = False
    shared = await slack.upload(VALVE, channel=C_ONE)
    channel.bot_is_member = True
    storage = bot.app.services.storage
    body = event_body(slack.state, slack.state.workspace(ONE), share_event(slack.state, shared))
    job = InboxMiddleware(storage.inbox, storage.catalogue, bot.app.worker.wake).job_of(body)
    assert job is not None
    assert rotations(slack) == 0
    await storage.inbox.put(job)
    bot.app.worker.wake()
    assert "`valve_0042`" in (await slack.wait_for_reply(C_ONE, shared.ts)).everything
    assert rotations(slack) == 1


async def test_concurrent_callers_share_one_rotation(slack: FakeSlack, bot: WebBot) -> None:
    shares = [slack.upload(VALVE, channel=C_ONE) for _ in range(4)]
    commands = [slack.command("db", channel=C_ONE) for _ in range(4)]
    shared, _ = await asyncio.gather(asyncio.gather(*shares), asyncio.gather(*commands))
    for one in shared:
        await slack.wait_for_reply(C_ONE, one.ts)
    await wait_until_forgotten(bot)
    assert rotations(slack) == 1


async def test_slow_renewal_does_not_delay_acknowledgements_while_the_old_token_is_valid(
    slack: FakeSlack, bot: WebBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed_workspaces, "MAX_ROTATION_WAIT_S", 0.02)
    slack.rate_limit("oauth.v2.access", next_calls=1, retry_after_s=1)
    await slack.command("db", channel=C_ONE)
    assert "`parts`" in (await slack.wait_for_answer()).everything
    assert max(ack.seconds for ack in slack.state.acks) < 0.3
    async with asyncio.timeout(10):
        while await kept_expiry(bot) < time.time() + SOON_S + 60:  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.02)


async def test_refused_rotation_keeps_a_valid_old_token(
    slack: FakeSlack, bot: WebBot, caplog: pytest.LogCaptureFixture
) -> None:
    slack.refuse_next("oauth.v2.access", "internal_error")
    with caplog.at_level(logging.WARNING, "handlers"):
        await slack.command("db", channel=C_ONE)
        assert "`parts`" in (await slack.wait_for_answer()).everything
    assert "could not rotate the token of T0ONE (internal_error)" in caplog.text


async def test_token_that_expired_while_idle_is_renewed_first(
    slack: FakeSlack, bot: WebBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_token_expire(slack, monkeypatch)
    shared = await slack.upload(VALVE, channel=C_ONE)
    assert "`valve_0042`" in (await slack.wait_for_reply(C_ONE, shared.ts)).everything
    assert rotations(slack) == 1


async def test_slack_delivers_again_while_an_expired_token_cannot_be_renewed(
    slack: FakeSlack, bot: WebBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_token_expire(slack, monkeypatch)
    slack.tolerate_silence()
    slack.refuse_next("oauth.v2.access", "internal_error")
    shared = await slack.upload(VALVE, channel=C_ONE)
    assert "`valve_0042`" in (await slack.wait_for_reply(C_ONE, shared.ts)).everything
    assert len(slack.replies(shared.ts)) == 1


async def test_app_counts_as_not_installed_if_the_refresh_token_is_dead(
    slack: FakeSlack, bot: WebBot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    let_token_expire(slack, monkeypatch)
    slack.oauth.refresh_tokens.clear()
    await slack.command("db", channel=C_ONE)
    assert "another workspace" in (await slack.wait_for_answer()).text
    assert "install the app again" in caplog.text


async def test_token_renewed_by_another_process_is_used(slack: FakeSlack, bot: WebBot, tmp_path: Path) -> None:
    store = bot.app.services.storage.installations(STATE_SECRET)
    old = await store.async_find_bot(enterprise_id=None, team_id=ONE)
    assert old is not None
    here, there = (
        InstalledClients(store, slack.oauth.client_id, slack.oauth.client_secret, slack.api_url) for _ in range(2)
    )
    first, second = await asyncio.gather(here.authorize(None, ONE), there.authorize(None, ONE))
    assert first is not None
    assert second is not None
    new = slack.state.workspace(ONE).bot_token
    assert new in {first.bot_token, second.bot_token}
    assert {first.bot_token, second.bot_token} <= {new, old.bot_token}
    assert rotations(slack) == 2
    third = await InstalledClients(store, "1.2", "wrong", slack.api_url).authorize(None, ONE)
    assert third is not None
    assert third.bot_token == new


async def test_rotated_token_is_kept_until_it_can_be_saved(
    slack: FakeSlack, bot: WebBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed_workspaces, "SAVE_DELAYS_S", (0.05,))
    monkeypatch.setattr(installed_workspaces, "CACHE_TTL_S", 0)
    save, failing = SqlInstallations.save_rotated, [True]

    async def fail(self: SqlInstallations, old: Bot, new: Bot) -> bool:
        if failing[0]:
            raise BackendDown("the disk is full")
        return await save(self, old, new)

    monkeypatch.setattr(SqlInstallations, "save_rotated", fail)
    for _ in range(2):
        before = len(slack.transcript)
        await slack.command("db", channel=C_ONE)
        assert "`parts`" in (await slack.wait_for_answer(after=before)).everything
    shared = await slack.upload(VALVE, channel=C_ONE)
    assert "`valve_0042`" in (await slack.wait_for_reply(C_ONE, shared.ts)).everything
    assert rotations(slack) == 1
    assert await kept_expiry(bot) < time.time() + SOON_S + 60
    failing[0] = False
    async with asyncio.timeout(10):
        while await kept_expiry(bot) < time.time() + LATER_S - 60:  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.02)


async def test_rotated_token_is_not_saved_after_the_uninstall(slack: FakeSlack, bot: WebBot, tmp_path: Path) -> None:
    store = bot.app.services.storage.installations(STATE_SECRET)

    class Uninstalled:
        """The store, from which the app is uninstalled while Slack rotates the token."""

        async_find_bot = store.async_find_bot

        async def save_rotated(self, old: Bot, new: Bot) -> bool:
            await store.async_delete_all(enterprise_id=None, team_id=ONE)
            return await store.save_rotated(old, new)

    clients = InstalledClients(Uninstalled(), slack.oauth.client_id, slack.oauth.client_secret, slack.api_url)
    await clients.authorize(None, ONE)
    await clients.close()
    assert rotations(slack) == 1
    assert await store.workspaces() == ()
    assert await clients.authorize(None, ONE) is None
