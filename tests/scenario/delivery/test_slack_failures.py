"""Slack rate limits, errors, timeouts and refusals: a request is answered once, or the person is told why not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.wording.errors import SLACK_BUSY
from bot.services.job_retries import RetryPolicy
from handlers.replies.delivery import DeliveryUnknown
from handlers.slack import files
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.files import connect_stub
from tests.fakes.slack.payloads import command_body
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, action_ids, idle, images_of, press, run_command
from tests.scenario.support.response_urls import ResponseUrl, button, pressed

MOST_POSTS = 5


@pytest.fixture
async def url() -> AsyncIterator[ResponseUrl]:
    """A response URL whose answers a test plans."""
    async with ResponseUrl() as server:
        yield server


@pytest.fixture
async def app(slack: FakeSlack, start: Start, pictures: PictureServer, monkeypatch: pytest.MonkeyPatch) -> SlackApp:
    """A bot with a valve and a gasket in its database, and short retry delays."""
    started = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    monkeypatch.setattr(started.worker, "_retries", RetryPolicy((0.02, 0.02, 0.02, 0.02)))
    monkeypatch.setattr(started.worker, "_poll_s", 0.02)
    monkeypatch.setattr(files, "STUB_DELAYS_S", (0.01, 0.01, 0.01))
    await fill(started, "parts", valve_0042=VALVE, gasket_7=GASKET)
    return started


async def reply(slack: FakeSlack, shared: Message) -> Message:
    return await slack.wait_for_reply(shared.channel, shared.ts)


async def command_to_url(slack: FakeSlack, url: ResponseUrl, text: str) -> None:
    """Send a command whose answer goes to this response URL."""
    body = command_body(slack.state, GENERAL, SOMEONE, "/vsearch", text)
    await slack.deliver("slash_commands", body | {"response_url": url.address})


@pytest.mark.parametrize("refusals", [1, 3])
async def test_answer_waits_until_slack_accepts_it(slack: FakeSlack, app: SlackApp, refusals: int) -> None:
    slack.rate_limit("chat.postMessage", next_calls=refusals, retry_after_s=0)
    shared = await slack.upload(VALVE)
    assert "`valve_0042`" in (await reply(slack, shared)).everything
    await idle(app)
    assert len(slack.replies(shared.ts)) == 1
    assert len(slack.calls("chat.postMessage")) == refusals + 1


@pytest.mark.parametrize("failures", [1, 2])
async def test_answer_is_retried_while_slack_fails(slack: FakeSlack, app: SlackApp, failures: int) -> None:
    slack.break_next("chat.postMessage", times=failures)
    shared = await slack.upload(VALVE)
    assert "`valve_0042`" in (await reply(slack, shared)).everything
    await idle(app)
    assert len(slack.replies(shared.ts)) == 1


@pytest.mark.parametrize("in_thread", [False, True])
async def test_answer_with_a_lost_receipt_is_not_posted_twice(
    slack: FakeSlack, app: SlackApp, *, in_thread: bool
) -> None:
    thread = (await slack.say("what is this?")).ts if in_thread else ""
    slack.lose_next_answer("chat.postMessage")
    shared = await slack.upload(VALVE, thread_ts=thread)
    await slack.wait_for_call("conversations.replies")
    await idle(app)
    assert len(slack.replies(thread or shared.ts)) == 1


async def test_collected_images_are_added_once_whatever_answers_are_lost(slack: FakeSlack, app: SlackApp) -> None:
    await run_command(slack, "watch collect in:parts")
    slack.lose_next_answer("reactions.add")
    slack.break_next("chat.getPermalink")
    shared = await slack.upload(slack.host(UNRELATED, "stranger.png"))
    await slack.wait_for_reaction(shared, "white_check_mark")
    await idle(app)
    [record] = await images_of(app, "parts", "stranger")
    assert record.origin is not None
    assert record.origin.permalink
    assert slack.replies(shared.ts) == []


@pytest.mark.parametrize(("error", "status"), [("ratelimited", 429), ("internal_error", 200), ("unwell", 503)])
async def test_file_info_is_requested_until_slack_answers(
    slack: FakeSlack, app: SlackApp, error: str, status: int
) -> None:
    file = slack.host(VALVE)
    file.stub = connect_stub(file.id)
    slack.refuse_next("files.info", error, status=status, retry_after_s=0, times=4)
    shared = await slack.upload(file)
    assert "`valve_0042`" in (await reply(slack, shared)).everything
    await idle(app)
    assert len(slack.replies(shared.ts)) == 1


async def test_button_says_that_slack_is_too_busy_to_show_the_file(slack: FakeSlack, app: SlackApp) -> None:
    first = await reply(slack, await slack.upload(VALVE, text="top:1 min:0"))
    slack.refuse_next("files.info", "fatal_error", times=1)
    answer = await press(slack, first, "results_more")
    assert answer.text == SLACK_BUSY
    assert "`gasket_7`" in (await press(slack, first, "results_more")).everything


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("not_in_channel", "/invite"),
        ("channel_not_found", "/invite"),
        ("is_archived", "archived"),
        ("restricted_action", "only some members can post"),
        ("restricted_action_read_only_channel", "read-only"),
    ],
)
async def test_person_who_cannot_be_answered_in_a_channel_is_told_directly(
    slack: FakeSlack, app: SlackApp, error: str, says: str
) -> None:
    slack.refuse_next("chat.postMessage", error)
    shared = await slack.upload(VALVE)
    notice = await slack.wait_for(lambda m: m.channel.startswith("D"))
    assert f"<#{GENERAL}>" in notice.everything
    assert says in notice.text
    assert slack.state.channels[notice.channel].members == [SOMEONE]
    await idle(app)
    assert slack.replies(shared.ts) == []
    assert len(slack.calls("chat.postMessage")) == 2


async def test_deleted_thread_gets_no_answer(slack: FakeSlack, app: SlackApp) -> None:
    slack.refuse_next("chat.postMessage", "thread_not_found")
    await slack.upload(VALVE)
    await slack.acknowledged(2)
    await idle(app)
    assert len(slack.transcript) == len(slack.calls("chat.postMessage")) == 1


async def test_refused_picture_costs_the_answer_its_pictures_only(slack: FakeSlack, app: SlackApp) -> None:
    slack.refuse_next("chat.postMessage", "invalid_blocks")
    answer = await reply(slack, await slack.upload(VALVE))
    assert "`valve_0042`" in answer.everything
    assert answer.blocks
    assert "'image'" not in str(answer.blocks)
    assert "results_add_this" in action_ids(answer)


async def test_blocks_that_are_too_long_become_text(slack: FakeSlack, app: SlackApp) -> None:
    slack.refuse_next("chat.postMessage", "msg_blocks_too_long", times=2)
    answer = await reply(slack, await slack.upload(VALVE))
    assert answer.blocks == ()
    assert "valve_0042, 10/10" in answer.text


@pytest.mark.parametrize("error", ["not_in_channel", "channel_not_found", "user_not_in_channel", "is_archived"])
async def test_refused_ephemeral_messages_are_sent_directly(
    slack: FakeSlack, app: SlackApp, url: ResponseUrl, error: str
) -> None:
    url.plan(404)
    slack.refuse_next("chat.postEphemeral", error)
    await command_to_url(slack, url, "db")
    answer = await slack.wait_for(lambda m: m.channel.startswith("D"))
    assert "`parts`" in answer.everything
    await idle(app)
    assert len(slack.transcript) == 1


async def test_rate_limited_response_url_is_retried(slack: FakeSlack, app: SlackApp, url: ResponseUrl) -> None:
    url.plan(429, 200)
    await command_to_url(slack, url, "db")
    await url.received(2)
    assert "parts" in str(url.taken)
    assert len(url.taken) == 1
    await idle(app)
    assert slack.transcript == []


@pytest.mark.parametrize("status", [404, 410, 403, 500, 503])
async def test_refusing_response_url_is_replaced_by_an_ephemeral_message(
    slack: FakeSlack, app: SlackApp, url: ResponseUrl, status: int
) -> None:
    url.plan(status)
    await command_to_url(slack, url, "db")
    answer = await slack.wait_for_answer()
    assert answer.via == "chat.postEphemeral"
    assert "`parts`" in answer.everything
    await idle(app)
    assert len(url.bodies) == 1


async def test_refused_blocks_are_reduced_at_a_response_url_too(
    slack: FakeSlack, app: SlackApp, url: ResponseUrl, pictures: PictureServer
) -> None:
    url.plan((400, "invalid_blocks"), (200, '{"ok": false, "error": "invalid_blocks"}'), 200)
    await command_to_url(slack, url, f"{pictures.url('v.png', VALVE)} min:0")
    await url.received(3)
    assert "'image'" in str(url.bodies[0]["blocks"])
    assert "'image'" not in str(url.bodies[1]["blocks"])
    assert "blocks" not in url.bodies[2]
    assert "valve_0042, 10/10" in url.bodies[2]["text"]
    await idle(app)
    assert slack.transcript == []
    assert len(url.bodies) <= MOST_POSTS


@pytest.mark.parametrize("status", [404, 500, 200])
async def test_shared_answer_is_never_posted_twice(
    slack: FakeSlack, app: SlackApp, url: ResponseUrl, pictures: PictureServer, status: int
) -> None:
    mine = await run_command(slack, f"{pictures.url('v.png', VALVE)} min:0")
    url.plan(status)
    before = len(slack.transcript)
    share = pressed(slack, mine, button(mine, "results_share"), response_url=url.address)
    await slack.deliver("interactive", share)
    await url.received(1)
    await idle(app)
    said = slack.transcript[before:]
    if status == 200:
        assert said == []
        assert [body["response_type"] for body in url.taken] == ["in_channel"]
    elif status == 404:
        assert [m.to for m in said] == [""]
        assert said[0].via == "chat.postMessage"
    else:
        # Slack may have posted it, and everybody would see it twice.
        assert said == []
        assert [(body["response_type"], body["text"]) for body in url.taken] == [("ephemeral", str(DeliveryUnknown()))]


@pytest.mark.parametrize("breaks", [True, False])
async def test_share_that_may_have_been_posted_is_not_repeated(
    slack: FakeSlack, app: SlackApp, url: ResponseUrl, pictures: PictureServer, *, breaks: bool
) -> None:
    mine = await run_command(slack, f"{pictures.url('v.png', VALVE)} min:0")
    url.plan(404)
    (slack.break_next if breaks else slack.lose_next_answer)("chat.postMessage")
    before = len(slack.transcript)
    share = pressed(slack, mine, button(mine, "results_share"), response_url=url.address)
    await slack.deliver("interactive", share)
    await url.received(2)
    await idle(app)
    assert url.taken[0]["text"] == str(DeliveryUnknown())
    assert len(slack.transcript) - before == (0 if breaks else 1)


@pytest.mark.parametrize("error", ["not_in_channel", "restricted_action", "is_archived"])
async def test_person_who_cannot_share_is_told_why(
    slack: FakeSlack, app: SlackApp, url: ResponseUrl, pictures: PictureServer, error: str
) -> None:
    mine = await run_command(slack, f"{pictures.url('v.png', VALVE)} min:0")
    url.plan(404, 404)
    slack.refuse_next("chat.postMessage", error)
    before = len(slack.transcript)
    share = pressed(slack, mine, button(mine, "results_share"), response_url=url.address)
    await slack.deliver("interactive", share)
    notice = await slack.wait_for_answer(after=before)
    assert notice.text.startswith("I can't post in that channel:")
