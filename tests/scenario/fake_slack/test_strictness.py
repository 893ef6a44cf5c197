"""The stand-in accepts only what Slack accepts."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import FakeSlack
from tests.fakes.slack.server import GENERAL


@pytest.fixture
async def fake() -> Any:
    async with FakeSlack() as slack:
        yield slack


def client(fake: FakeSlack, token: str | None = None) -> AsyncWebClient:
    return AsyncWebClient(token or fake.state.bot_token, base_url=fake.api_url)


async def test_tokens_are_checked(fake: FakeSlack) -> None:
    assert (await client(fake).auth_test())["team_id"] == fake.state.team
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await client(fake, "xoxb-other").auth_test()
    with pytest.raises(SlackApiError, match="invalid_auth"):
        await client(fake).apps_connections_open(app_token=fake.state.bot_token)


async def test_unknown_method_is_a_failure(fake: FakeSlack) -> None:
    with pytest.raises(SlackApiError, match="unknown_method"):
        await client(fake).api_call("chat.scheduleMessage")
    assert fake.failures == ["unknown method chat.scheduleMessage"]


@pytest.mark.parametrize(
    "message",
    [
        {"text": " ", "blocks": [{"type": "divider"}]},
        {"text": "x", "blocks": [{"type": "nonsense"}]},
        {"text": "x", "blocks": [{"type": "divider"}] * 51},
        {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]},
        {"text": "x", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]},
        {"text": "x", "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "x" * 2900}}] * 5},
    ],
)
async def test_messages_that_slack_refuses_are_failures(fake: FakeSlack, message: dict[str, Any]) -> None:
    with pytest.raises(SlackApiError):
        await client(fake).api_call("chat.postMessage", json={"channel": GENERAL} | message)
    assert len(fake.failures) == 1
    assert fake.transcript == []


async def test_only_members_post_and_only_to_existing_threads(fake: FakeSlack) -> None:
    fake.add_channel("C0CLOSED", "closed", bot_is_member=False)
    for arguments, error in (
        ({"channel": "C0NOWHERE"}, "channel_not_found"),
        ({"channel": "C0CLOSED"}, "not_in_channel"),
        ({"channel": GENERAL, "thread_ts": "1.1"}, "thread_not_found"),
    ):
        with pytest.raises(SlackApiError, match=error):
            await client(fake).api_call("chat.postMessage", json=arguments | {"text": "x"})


async def test_download_without_the_token_gets_a_sign_in_page(fake: FakeSlack) -> None:
    file = fake.host(b"bytes", "picture.png")
    async with aiohttp.ClientSession() as session:
        page = await session.get(file.info["url_private"])
        assert (page.status, page.content_type) == (200, "text/html")
        headers = {"Authorization": f"Bearer {fake.state.bot_token}"}
        assert await (await session.get(file.info["url_private"], headers=headers)).read() == b"bytes"


async def test_unacknowledged_delivery_is_repeated_and_a_failure(fake: FakeSlack) -> None:
    fake.socket_mode.acknowledge_within_s = 0.05
    opened = await client(fake).apps_connections_open(app_token=fake.state.app_token)
    async with aiohttp.ClientSession() as session, session.ws_connect(opened["url"]) as socket:
        assert (await socket.receive_json())["type"] == "hello"
        delivery = fake.event({"type": "message"})
        attempts = [await socket.receive_json() for _ in range(3)]
        await socket.send_json({"envelope_id": attempts[-1]["envelope_id"]})
        await delivery
    assert [attempt["retry_attempt"] for attempt in attempts] == [0, 1, 2]
    assert len(fake.failures) == 2
    assert len(fake.state.acks) == 1


async def test_socket_url_works_once(fake: FakeSlack) -> None:
    opened = await client(fake).apps_connections_open(app_token=fake.state.app_token)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(opened["url"]):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(opened["url"])


async def test_response_url_takes_five_posts_within_half_an_hour(fake: FakeSlack) -> None:
    now = 0.0
    fake.response_urls.clock = lambda: now
    delivery = fake.command("help")
    (identifier,) = fake.state.response_urls
    url, message = f"{fake.state.base_url}commands/{identifier}", {"text": "x", "response_type": "ephemeral"}
    async with aiohttp.ClientSession() as session:
        statuses = [(await session.post(url, json=message)).status for _ in range(6)]
        fake.state.response_urls[identifier].posts = 0
        now = 31 * 60
        statuses.append((await session.post(url, json=message)).status)
    assert statuses == [200] * 5 + [404] * 2
    assert len(fake.transcript) == 5
    delivery.cancel()
    await asyncio.gather(delivery, return_exceptions=True)


async def test_planned_refusal_happens_once(fake: FakeSlack) -> None:
    fake.refuse_next("auth.test", "ratelimited", status=429, retry_after_s=1)
    with pytest.raises(SlackApiError, match="ratelimited"):
        await client(fake).auth_test()
    await client(fake).auth_test()
