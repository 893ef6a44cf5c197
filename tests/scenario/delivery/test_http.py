"""Deliveries over HTTP: verified, acknowledged at once, deduplicated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.blocks.ids import ActionId, ShortcutId
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fakes.slack.delivery.http_mode import FORM, HttpMode
from tests.fakes.slack.payloads import event_body, share_event
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.web_bot import SECRET, WebBot, stock, web_bot

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")

EVENT = json.dumps({"type": "event_callback", "team_id": "T0FAKE", "event": {"type": "reaction_added"}})
TEXT = "text/plain; charset=utf-8"


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[WebBot]:
    async with web_bot(slack, tmp_path) as running:
        await stock(running.app, slack.state.team, "parts", valve_0042=VALVE, gasket_7=GASKET)
        yield running


@pytest.fixture
def mode(slack: FakeSlack, bot: WebBot) -> HttpMode:
    assert slack.http_mode is not None
    return slack.http_mode


async def test_signed_share_is_answered_in_its_thread(slack: FakeSlack, bot: WebBot) -> None:
    shared = await slack.upload(VALVE)
    answer = await slack.wait_for_reply(shared.channel, shared.ts)
    assert "`valve_0042`" in answer.everything
    assert "10/10" in answer.everything


async def test_signed_command_is_answered_to_its_author(slack: FakeSlack, bot: WebBot) -> None:
    await slack.command("db")
    answer = await slack.wait_for_answer()
    assert "`parts`" in answer.everything
    assert answer.via == "response_url"


async def test_buttons_modals_and_shortcuts_work(slack: FakeSlack, bot: WebBot) -> None:
    shared = await slack.upload(VALVE)
    answer = await slack.wait_for_reply(shared.channel, shared.ts)
    await slack.press(answer, ActionId.ADD_THIS)
    await slack.close(await slack.wait_for_view())
    await slack.shortcut_message(ShortcutId.FIND_SIMILAR, shared)
    assert "`valve_0042`" in (await slack.wait_for_answer()).everything
    await slack.command("")
    view = await slack.wait_for_view()
    assert view.body["submit"]


async def test_home_tab_is_published(slack: FakeSlack, bot: WebBot) -> None:
    await slack.open_home()
    assert "parts" in (await slack.wait_for_home()).everything


@pytest.mark.parametrize(
    "headers", ["none", "wrong secret", "old", "of the future", "of another body", "no number", "huge", "no ASCII"]
)
async def test_unsigned_deliveries_are_refused(slack: FakeSlack, mode: HttpMode, headers: str) -> None:
    good = mode.signed(EVENT)
    bad = {
        "none": {"Content-Type": "application/json"},
        "wrong secret": mode.signed(EVENT, secret="another"),
        "old": mode.signed(EVENT, age_s=301),
        "of the future": mode.signed(EVENT, age_s=-400),
        "of another body": mode.signed(EVENT + " "),
        "no number": {**good, "X-Slack-Request-Timestamp": "yesterday"},
        "huge": {**good, "X-Slack-Request-Timestamp": "9" * 5000},
        "no ASCII": {**good, "X-Slack-Signature": "v0=ÿ"},
    }
    assert await slack.deliver_raw(EVENT, bad[headers]) == 401
    assert await slack.deliver_raw(EVENT, good) == 200


@pytest.mark.parametrize("kind", ["command", "interactive"])
async def test_forms_are_verified_too(slack: FakeSlack, mode: HttpMode, kind: str) -> None:
    form = {"command": "/vsearch", "text": "db create stolen", "team_id": "T0FAKE"}
    if kind == "interactive":
        form = {"payload": json.dumps({"type": "shortcut", "team": {"id": "T0FAKE"}, "callback_id": "x"})}
    body = urlencode(form)
    assert await slack.deliver_raw(body, mode.signed(body, content_type=FORM, secret="another")) == 401
    assert slack.calls("views.open") == []


async def test_signed_url_verification_challenge_is_answered(slack: FakeSlack, bot: WebBot, mode: HttpMode) -> None:
    assert await slack.verify_url()
    mode.signing_secret = "another"
    assert not await slack.verify_url()
    mode.signing_secret = SECRET


async def test_certificate_check_is_answered(slack: FakeSlack, mode: HttpMode) -> None:
    body = "ssl_check=1&token=verification-token"
    assert await slack.deliver_raw(body, {"Content-Type": FORM}) == 200


async def test_malformed_bodies_are_refused(slack: FakeSlack, bot: WebBot, mode: HttpMode) -> None:
    for body in (b"", b"{", b"[]", b"null", b"payload=", b"payload=%7B", b"\xff\xfe", b'{"event": 5}', b"[" * 100_000):
        assert await slack.deliver_raw(body) in {200, 400, 404}
        assert await slack.deliver_raw(body, {"Content-Type": FORM}) in {400, 401}
    assert (await bot.browser.get("/slack/events")).status_code == 405
    await slack.command("help")
    assert "Find similar images" in (await slack.wait_for_answer()).everything


async def test_acknowledgements_come_at_once_while_searches_run(
    slack: FakeSlack, bot: WebBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    search = bot.app.services.visual.search

    async def slow_search(*arguments: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await search(*arguments)

    monkeypatch.setattr(type(bot.app.services.visual), "search", lambda _self, *given: slow_search(*given))
    shares = [await slack.upload(encoded(photo(320, 240, seed=seed), "PNG")) for seed in range(8)]
    await begun.wait()
    for command in ("db", "status", "help", "list"):
        await slack.command(command)
    await slack.acknowledged(2 * len(shares) + 4)
    go_on.set()
    # Slack's own limit. bench/whole_bot/acknowledgement.py measures the real times.
    assert max(ack.seconds for ack in slack.state.acks) < 3
    for shared in shares:
        await slack.wait_for_reply(shared.channel, shared.ts)


async def test_repeated_delivery_is_answered_once(slack: FakeSlack, bot: WebBot, mode: HttpMode) -> None:
    shared = await slack.upload(VALVE)
    body = json.dumps(event_body(slack.state, slack.state.home, share_event(slack.state, shared)))
    for attempt in range(3):
        repeated = {"X-Slack-Retry-Num": f"{attempt + 1}", "X-Slack-Retry-Reason": "http_timeout"}
        assert await slack.deliver_raw(body, mode.signed(body) | repeated) == 200
    await slack.wait_for_reply(shared.channel, shared.ts)
    await slack.say("help", mention=True)
    await slack.wait_for(lambda m: "Find similar images" in m.everything)
    assert len(slack.replies(shared.ts)) == 1


async def test_repetition_is_handled_if_the_first_attempt_died(slack: FakeSlack, bot: WebBot, mode: HttpMode) -> None:
    slack.tolerate_silence()
    mode.delays_s = (0.2, 0.2, 0.2)
    right, mode.url = mode.url, "http://127.0.0.1:9/slack/events"
    shared = await slack.upload(VALVE)
    await asyncio.sleep(0.05)
    mode.url = right
    await slack.wait_for_reply(shared.channel, shared.ts)
    assert len(slack.replies(shared.ts)) == 1


async def test_repeated_mention_and_home_are_answered_once(slack: FakeSlack, bot: WebBot, mode: HttpMode) -> None:
    said = await slack.say("plain words")
    event = {"type": "app_mention", "user": SOMEONE, "text": "<@U0BOT> db", "channel": GENERAL, "ts": said.ts}
    body = json.dumps(event_body(slack.state, slack.state.home, event))
    assert await slack.deliver_raw(body) == 200
    await slack.wait_for(lambda m: "`parts`" in m.everything)
    assert await slack.deliver_raw(body, mode.signed(body) | {"X-Slack-Retry-Num": "1"}) == 200
    assert await bot.app.wrapper.drain(10) == 0
    assert len([m for m in slack.transcript if "`parts`" in m.everything]) == 1


async def test_other_workspaces_deliveries_are_acknowledged_and_ignored(slack: FakeSlack, bot: WebBot) -> None:
    slack.add_workspace("T0OTHER", "Other")
    slack.add_channel("C0OTHER", "general", team="T0OTHER")
    await slack.command("db", channel="C0OTHER")
    answer = await slack.wait_for_answer()
    assert "another workspace" in answer.text
    assert "parts" not in answer.everything
    await slack.upload(VALVE, channel="C0OTHER")
    await slack.acknowledged(3)
    assert slack.replies(slack.transcript[-1].ts) == []


async def test_foreign_deliveries_are_acknowledged_when_reporting_fails(slack: FakeSlack, mode: HttpMode) -> None:
    form = {"command": "/vsearch", "text": "db", "team_id": "T0OTHER", "channel_id": "C1", "user_id": "U1"}
    body = urlencode(form | {"response_url": "http://127.0.0.1:9/commands/1"})
    assert await slack.deliver_raw(body, mode.signed(body, content_type=FORM)) == 200


async def test_pages_that_are_not_configured_do_not_exist(bot: WebBot) -> None:
    for path in ("/slack/install", "/slack/oauth_redirect", "/media/abc", "/", "/slack/events/", "/docs"):
        assert (await bot.browser.get(path)).status_code == 404
