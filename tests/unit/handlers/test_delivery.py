"""Posts, ephemeral messages and response URLs, sent by a real client to the fake of Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.reply import Reply, notice, section, with_marker
from bot.domain.errors import RetryLater
from handlers.replies import delivery
from handlers.replies.delivery import DeliveryUnknown, attempts, markers
from handlers.slack_errors import TargetGone
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.support.response_urls import ResponseUrl

PICTURE = {"type": "image", "alt_text": "a valve", "image_url": "https://bot.example/media/x"}
WHOLE = Reply("Best match: valve_0042.", (section("*Best match*", "summary:7-1.2") | {"accessory": PICTURE},))


@pytest.fixture
async def url() -> AsyncIterator[ResponseUrl]:
    async with ResponseUrl() as server:
        yield server


async def shared(slack: FakeSlack) -> Message:
    return await slack.say("what is this?")


async def test_post_unfurls_nothing_and_reports_success(slack: FakeSlack, client: AsyncWebClient) -> None:
    message = await shared(slack)
    assert await delivery.post(client, GENERAL, WHOLE, message.ts)
    [call] = slack.calls("chat.postMessage")
    assert {str(call.args[name]).lower() for name in ("unfurl_links", "unfurl_media")} <= {"0", "false"}
    assert slack.replies(message.ts)[0].blocks == WHOLE.blocks


async def test_refused_parts_are_left_out_step_by_step(slack: FakeSlack, client: AsyncWebClient) -> None:
    message = await shared(slack)
    slack.refuse_next("chat.postMessage", "invalid_blocks")
    assert not await delivery.post(client, GENERAL, WHOLE, message.ts)
    slack.refuse_next("chat.postMessage", "msg_blocks_too_long", times=2)
    assert not await delivery.post(client, GENERAL, WHOLE, message.ts)
    lighter, text = slack.replies(message.ts)
    assert "accessory" not in lighter.blocks[0]
    assert (text.blocks, text.text) == ((), WHOLE.text)


async def test_message_without_pictures_is_sent_once(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.refuse_next("chat.postMessage", "invalid_blocks")
    assert not await delivery.post(client, GENERAL, notice("hello"))
    assert len(slack.calls("chat.postMessage")) == 2


async def test_other_errors_are_raised(slack: FakeSlack, client: AsyncWebClient) -> None:
    for error in ("not_in_channel", "invalid_auth", "internal_error"):
        slack.refuse_next("chat.postMessage", error)
        with pytest.raises(SlackApiError, match=error):
            await delivery.post(client, GENERAL, WHOLE)
    assert len(slack.calls("chat.postMessage")) == 3


@pytest.mark.parametrize("lose", [True, False])
async def test_post_is_retried_only_after_a_rate_limit(slack: FakeSlack, client: AsyncWebClient, *, lose: bool) -> None:
    (slack.lose_next_answer if lose else slack.break_next)("chat.postMessage")
    with pytest.raises(SlackApiError):
        await delivery.post(client, GENERAL, WHOLE)
    assert len(slack.calls("chat.postMessage")) == 1
    slack.rate_limit("chat.postMessage", next_calls=1, retry_after_s=0)
    assert await delivery.post(client, GENERAL, WHOLE)
    assert len(slack.calls("chat.postMessage")) == 3


async def test_reads_are_retried(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.break_next("conversations.info")
    assert (await client.conversations_info(channel=GENERAL))["ok"]


async def test_marked_messages_are_found(slack: FakeSlack, client: AsyncWebClient) -> None:
    message = await shared(slack)
    look = (client, GENERAL, message.ts, message.ts)
    assert await delivery.marked_messages(*look, "7-1.2") == {}
    progress = await delivery.post_editable(client, GENERAL, with_marker(WHOLE, "7-1.2", "progress"), message.ts)
    await delivery.post(client, GENERAL, WHOLE, message.ts)
    found = await delivery.marked_messages(*look, "7-1.2")
    assert found == {"progress": progress.ts, "summary": slack.replies(message.ts)[1].ts}
    assert await delivery.marked_messages(*look, "17-1.2") == {}
    assert await delivery.marked_messages(*look, "7-1") == {}
    later = await shared(slack)
    assert await delivery.marked_messages(client, GENERAL, message.ts, later.ts, "7-1.2") == {}


async def test_update_replaces_all_of_a_message(slack: FakeSlack, client: AsyncWebClient) -> None:
    message = await shared(slack)
    ts = (await delivery.post_editable(client, GENERAL, notice("Still working."), message.ts)).ts
    assert await delivery.update(client, GENERAL, ts, WHOLE)
    [answer] = slack.replies(message.ts)
    assert (answer.text, answer.blocks) == (WHOLE.text, WHOLE.blocks)
    slack.refuse_next("chat.update", "invalid_blocks", times=2)
    assert not await delivery.update(client, GENERAL, ts, WHOLE)
    [answer] = slack.replies(message.ts)
    assert (answer.text, answer.blocks) == (WHOLE.text, ())


async def test_long_thread_is_read_to_its_end(
    slack: FakeSlack, client: AsyncWebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markers, "REPLIES_PER_PAGE", 3)
    message = await shared(slack)
    for _ in range(8):
        await slack.say("me too", thread_ts=message.ts)
    await delivery.post(client, GENERAL, WHOLE, message.ts)
    assert "summary" in await delivery.marked_messages(client, GENERAL, message.ts, message.ts, "7-1.2")


@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "thread_not_found", "not_in_channel"])
async def test_unreadable_thread_counts_as_unanswered(slack: FakeSlack, client: AsyncWebClient, error: str) -> None:
    slack.refuse_next("conversations.replies", error)
    assert await delivery.marked_messages(client, GENERAL, "1.2", "1.2", "7-1.2") == {}


async def test_ephemeral_message_is_seen_by_one_user(slack: FakeSlack, client: AsyncWebClient) -> None:
    await delivery.post_ephemeral(client, GENERAL, SOMEONE, notice("hello"))
    [message] = slack.transcript
    assert (message.to, message.channel) == (SOMEONE, GENERAL)


@pytest.mark.parametrize("status", [200, 503])
async def test_refused_ephemeral_message_is_sent_as_a_direct_message(
    slack: FakeSlack, client: AsyncWebClient, status: int
) -> None:
    if status == 200:
        slack.refuse_next("chat.postEphemeral", "user_not_in_channel")
    else:
        slack.break_next("chat.postEphemeral")
    await delivery.post_ephemeral(client, GENERAL, SOMEONE, notice("hello"))
    [message] = slack.transcript
    assert message.channel.startswith("D")
    assert message.text == "hello"


async def test_response_url_gets_all_fields_explicitly(url: ResponseUrl) -> None:
    assert await delivery.respond(url.address, WHOLE)
    assert await delivery.respond(url.address, WHOLE, public=True, thread_ts="1.2")
    assert await delivery.respond(url.address, WHOLE, replace=True)
    private, public, replaced = url.bodies
    assert (private["response_type"], private["replace_original"]) == ("ephemeral", False)
    assert (public["response_type"], public["thread_ts"]) == ("in_channel", "1.2")
    assert replaced["replace_original"] is True


@pytest.mark.parametrize(
    "answer", [404, 410, 403, (404, '{"ok":false,"error":"used_url"}'), (200, '{"ok": false, "error": "used_url"}')]
)
async def test_refusal_of_a_response_url_is_raised(url: ResponseUrl, answer: int | tuple[int, str]) -> None:
    url.plan(answer)
    assert not await delivery.respond(url.address, WHOLE)
    assert len(url.bodies) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_broken_response_url_leaves_the_outcome_unknown(url: ResponseUrl, status: int) -> None:
    url.plan(status)
    with pytest.raises(DeliveryUnknown):
        await delivery.respond(url.address, WHOLE)
    assert len(url.bodies) == 1


async def test_unreachable_response_url_leaves_the_outcome_unknown() -> None:
    async with ResponseUrl() as gone:
        pass
    with pytest.raises(DeliveryUnknown):
        await delivery.respond(gone.address, WHOLE)


async def test_response_url_fallbacks_stay_within_its_budget(url: ResponseUrl) -> None:
    url.plan(*[(400, "invalid_blocks")] * 9)
    assert not await delivery.respond(url.address, WHOLE)
    assert [("blocks" in body, "accessory" in str(body)) for body in url.bodies] == [
        (True, True),
        (True, False),
        (False, False),
    ]


async def test_rate_limit_of_a_response_url_is_waited_out(url: ResponseUrl) -> None:
    url.plan(429)
    assert await delivery.respond(url.address, WHOLE)
    assert len(url.taken) == 1


async def test_message_is_deleted_by_its_response_url(url: ResponseUrl) -> None:
    await delivery.delete_original(url.address)
    assert url.bodies == [{"delete_original": True}]


async def test_response_urls_are_not_logged(url: ResponseUrl, caplog: pytest.LogCaptureFixture) -> None:
    url.plan(404)
    await delivery.respond(url.address, WHOLE)
    async with ResponseUrl() as gone:
        pass
    with pytest.raises(DeliveryUnknown):
        await delivery.respond(gone.address, WHOLE)
    assert caplog.records
    assert "secret" not in caplog.text


@pytest.mark.parametrize("asked", ["11", "3600", "soon", ""])
async def test_long_rate_limits_are_not_waited_out(slack: FakeSlack, client: AsyncWebClient, asked: str) -> None:
    answer = {"ok": False, "error": "ratelimited"}
    slack.state.planned["chat.postMessage"].append((429, answer, {"Retry-After": asked}))
    with pytest.raises(SlackApiError, match="ratelimited"):
        await delivery.post(client, GENERAL, WHOLE)
    assert len(slack.calls("chat.postMessage")) == 1


async def test_trigger_id_does_not_expire_during_a_retry(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.rate_limit("views.open", next_calls=1, retry_after_s=2)
    with pytest.raises(SlackApiError, match="ratelimited"):
        await client.views_open(trigger_id="1", view={})
    assert len(slack.calls("views.open")) == 1


async def test_thread_that_slack_can_not_return_now_is_retried_later(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.refuse_next("conversations.replies", "internal_error")
    with pytest.raises(RetryLater):
        await delivery.marked_messages(client, GENERAL, "1.2", "1.2", "7-1.2")


async def test_text_that_replaces_refused_blocks_carries_the_marker(slack: FakeSlack, client: AsyncWebClient) -> None:
    message = await shared(slack)
    slack.refuse_next("chat.postMessage", "invalid_blocks", times=2)
    await delivery.post(client, GENERAL, with_marker(WHOLE, "7-1.2"), message.ts)
    assert slack.replies(message.ts)[0].blocks == ()
    look = (client, GENERAL, message.ts, message.ts)
    assert "summary" in await delivery.marked_messages(*look, "7-1.2")
    assert await delivery.marked_messages(*look, "17-1.2") == {}


async def test_lease_is_checked_right_before_each_post(
    slack: FakeSlack, client: AsyncWebClient, url: ResponseUrl
) -> None:
    checked: list[int] = []

    async def check() -> None:
        checked.append(len(slack.calls("chat.postMessage")))
        if len(checked) == 3:
            raise TargetGone("another process has the job")

    slack.refuse_next("chat.postMessage", "invalid_blocks", times=3)
    with delivery.checked_posts(check), pytest.raises(TargetGone):
        await delivery.post(client, GENERAL, WHOLE)
    assert checked == [0, 1, 2]
    assert len(slack.calls("chat.postMessage")) == 2
    checked.extend([0] * 2)
    with delivery.checked_posts(check):
        assert await delivery.respond(url.address, WHOLE)
    assert len(checked) == 6


async def test_post_that_takes_longer_than_a_lease_is_given_up(
    slack: FakeSlack, client: AsyncWebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        pass

    monkeypatch.setattr(attempts, "ANSWER_TIMEOUT_S", 0.05)
    slack.rate_limit("chat.postMessage", next_calls=1, retry_after_s=5)
    with delivery.checked_posts(check), pytest.raises(TimeoutError):
        await delivery.post(client, GENERAL, WHOLE)
    assert slack.transcript == []
