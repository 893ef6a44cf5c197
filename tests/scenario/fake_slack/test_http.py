"""The stand-in's HTTP deliveries: signed, with Slack's 3-second limit, and repeated."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from tests.fakes.slack import FakeSlack
from tests.fakes.slack.delivery.http_mode import HttpMode
from tests.fakes.slack.delivery.listener import HttpListener

SECRET = "signing-secret"


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
async def app() -> AsyncIterator[HttpListener]:
    async with HttpListener() as listener:
        yield listener


@pytest.fixture
def mode(fake: FakeSlack, app: HttpListener) -> HttpMode:
    return fake.http(app.url, SECRET)


async def test_deliveries_are_signed_and_encoded_by_kind(fake: FakeSlack, app: HttpListener, mode: HttpMode) -> None:
    await fake.event({"type": "reaction_added"})
    await fake.command("help")
    await fake.shortcut_global("search_by_image")
    event, command, shortcut = app.requests
    for body, headers in app.requests:
        assert SignatureVerifier(SECRET).is_valid_request(body, headers)
        assert "x-slack-retry-num" not in headers
    assert json.loads(event[0])["event"] == {"type": "reaction_added"}
    assert parse_qs(command[0].decode())["text"] == ["help"]
    assert json.loads(parse_qs(shortcut[0].decode())["payload"][0])["callback_id"] == "search_by_image"
    assert [ack.kind for ack in fake.state.acks] == ["events_api", "slash_commands", "interactive"]
    assert fake.failures == []
    assert fake.environment["SLACK_SIGNING_SECRET"] == SECRET


async def test_event_is_repeated_with_its_reason_until_acknowledged(
    fake: FakeSlack, app: HttpListener, mode: HttpMode
) -> None:
    mode.acknowledge_within_s = 0.05
    app.answers = [0.2, web.Response(status=500)]
    await fake.event({"type": "reaction_added"})
    sent = [(h.get("x-slack-retry-num"), h.get("x-slack-retry-reason")) for _, h in app.requests]
    assert sent == [(None, None), ("1", "http_timeout"), ("2", "http_error")]
    assert len({json.loads(body)["event_id"] for body, _ in app.requests}) == 1
    fake.forgive("http_timeout")
    fake.forgive("http_error")
    assert fake.failures == []


async def test_command_is_sent_once_and_its_answer_shown(fake: FakeSlack, app: HttpListener, mode: HttpMode) -> None:
    app.answers = [web.Response(status=500), web.json_response({"text": "Hello"})]
    await fake.command("help")
    assert len(app.requests) == 1
    fake.forgive("no acknowledgement of slash_commands")
    await fake.command("help")
    assert (await fake.wait_for_answer()).text == "Hello"


async def test_finish_waits_for_deliveries_that_are_repeated(
    fake: FakeSlack, app: HttpListener, mode: HttpMode
) -> None:
    app.answers = [web.Response(status=500)]
    event = fake.event({"type": "reaction_added"})
    await mode.finish()
    assert event.done()
    assert len(fake.state.acks) == 1
    fake.forgive("http_error")


async def test_silence_can_be_tolerated(fake: FakeSlack, app: HttpListener, mode: HttpMode) -> None:
    fake.tolerate_silence()
    mode.url = "http://127.0.0.1:9/"
    await fake.event({"type": "reaction_added"})
    assert fake.failures == []
    assert fake.state.acks == []


async def test_raw_deliveries_are_sent_unchanged(fake: FakeSlack, app: HttpListener, mode: HttpMode) -> None:
    app.answers = [web.Response(status=401)]
    forged = mode.signed("{}", secret="other")
    assert await fake.deliver_raw("{}", forged) == 401
    assert await fake.deliver_raw(b"\xff", mode.signed(b"\xff", age_s=600)) == 200
    first, second = app.requests
    assert not SignatureVerifier(SECRET).is_valid_request(*first)
    assert second[0] == b"\xff"
    assert not SignatureVerifier(SECRET).is_valid_request(b"\xff".decode("latin-1"), second[1])
