"""Images shared in a lookup channel: the searched database, one offer, and one answer despite repeated delivery."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Json, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, action_ids
from tests.scenario.support.shares import reply, retry_at_once, running, settled, watch


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed jobs at once."""
    retry_at_once(monkeypatch)


def thread_texts(slack: FakeSlack, shared: Message) -> list[str]:
    """Return the texts of the bot's messages in a thread."""
    return [message.everything for message in slack.replies(shared.reply_to)]


async def test_unset_channel_uses_the_only_database(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE)
    answer = await reply(slack, shared)
    assert (answer.channel, answer.thread_ts, answer.to) == (GENERAL, shared.ts, "")
    assert "`valve_0042`" in answer.everything
    assert slack.reactions(shared) == []


async def test_channel_uses_its_own_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=VALVE)
    await watch(app, ChannelMode.LOOKUP, "logos")
    answer = await reply(slack, await slack.upload(VALVE))
    assert "`acme`" in answer.everything
    assert "valve_0042" not in answer.everything


async def test_message_text_modifies_the_search(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET, other_1=UNRELATED)
    await fill(app, "logos", acme=GASKET)
    answer = await reply(slack, await slack.upload(VALVE, text="who knows this? in:parts top:2 min:0"))
    assert "top 2 of 3 matches" in answer.everything
    strict = await reply(slack, await slack.upload(VALVE, text="in:parts min:9.5"))
    assert "gasket_7" not in strict.everything
    assert "2 weaker matches hidden." in strict.everything


async def test_channels_minimum_score_applies_unless_the_message_sets_one(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await watch(app, ChannelMode.LOOKUP, "parts", minimum=10)
    assert "No close matches in `parts`" in (await reply(slack, await slack.upload(UNRELATED))).everything
    shown = await reply(slack, await slack.upload(UNRELATED, text="min:0"))
    assert "`gasket_7`" in shown.everything


async def test_no_close_match_says_so(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    answer = await reply(slack, await slack.upload(VALVE))
    assert "No images in `parts` yet" in answer.everything
    assert answer.text == "No close matches in parts."


async def test_several_databases_cause_one_offer_per_channel(slack: FakeSlack, tmp_path: Path) -> None:
    slack.add_channel("C0OTHER", "other")
    async with running(slack, tmp_path) as app:
        await fill(app, "parts", valve_0042=VALVE)
        await fill(app, "logos", acme=GASKET)
        first = await slack.upload(VALVE)
        offer = await reply(slack, first)
        assert "Which database should I search?" in offer.everything
        assert set(action_ids(offer)) == {"watch_channel", "create_database"}
        second = await slack.upload(GASKET)
        elsewhere = await slack.upload(VALVE, channel="C0OTHER")
        assert "Which database should I search?" in (await reply(slack, elsewhere)).everything
        await settled(slack, app)
        assert (len(thread_texts(slack, first)), thread_texts(slack, second)) == (1, [])
    async with running(slack, tmp_path) as app:
        third = await slack.upload(UNRELATED)
        await settled(slack, app)
        assert thread_texts(slack, third) == []
        # Whoever mentions the bot gets the offer each time.
        asked = await slack.upload(VALVE, mention=True)
        assert "Which database should I search?" in (await reply(slack, asked)).everything
        await watch(app, ChannelMode.LOOKUP, "parts")
        chosen = await slack.upload(VALVE)
        assert "`valve_0042`" in (await reply(slack, chosen)).everything


async def test_offer_that_slack_refused_is_made_again(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.break_next("chat.postMessage")
    shared = await slack.upload(VALVE)
    assert "no image database yet" in (await reply(slack, shared)).everything
    await settled(slack, app)
    assert len(thread_texts(slack, shared)) == 1


@pytest.mark.parametrize("how", ["answer", "offer"])
async def test_answer_with_a_lost_receipt_is_not_posted_again(slack: FakeSlack, start: Start, how: str) -> None:
    app = await start()
    if how == "answer":
        await fill(app, "parts", valve_0042=VALVE)
    slack.lose_next_answer("chat.postMessage")
    shared = await slack.upload(VALVE)
    await settled(slack, app)
    assert len(thread_texts(slack, shared)) == 1


async def test_repetitions_after_a_restart_start_nothing(slack: FakeSlack, tmp_path: Path) -> None:
    async with running(slack, tmp_path) as app:
        await fill(app, "parts", valve_0042=VALVE)
        shared = await slack.upload(VALVE, mention=True)
        await reply(slack, shared)
        await settled(slack, app)
    async with running(slack, tmp_path) as app:
        event: Json = {"type": "message", "subtype": "file_share", "channel": GENERAL, "channel_type": "channel"}
        event |= {"user": SOMEONE, "ts": shared.ts, "text": shared.text, "files": [shared.files[0].info]}
        await slack.event(event)
        await slack.event({**event, "type": "app_mention"})
        await settled(slack, app)
        assert len(thread_texts(slack, shared)) == 1


async def test_jobs_waiting_at_a_stop_are_answered_after_the_start(
    slack: FakeSlack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> tuple[()]:
        return ()

    async with running(slack, tmp_path) as app:
        await fill(app, "parts", valve_0042=VALVE)
        with monkeypatch.context() as patched:
            patched.setattr(type(app.services.storage.inbox), "claim", nothing)
            shared = await slack.upload(VALVE)
            await slack.acknowledged(2)
            await app.worker.stop(1)
        assert thread_texts(slack, shared) == []
    async with running(slack, tmp_path) as app:
        assert "`valve_0042`" in (await reply(slack, shared)).everything
        await settled(slack, app)
        assert len(thread_texts(slack, shared)) == 1


async def test_unwatched_channel_is_ignored_except_for_mentions(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.OFF)
    quiet = await slack.upload(VALVE)
    await settled(slack, app)
    assert (thread_texts(slack, quiet), slack.reactions(quiet)) == ([], [])
    assert "`valve_0042`" in (await reply(slack, await slack.upload(VALVE, mention=True))).everything


async def test_repeated_events_of_one_share_are_answered_once(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE, text="what is it?", mention=True, redeliveries=1)
    await settled(slack, app)
    assert len(thread_texts(slack, shared)) == 1
    assert len(slack.calls("chat.postMessage")) == 1


async def test_edit_of_a_shared_message_starts_nothing(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE)
    await reply(slack, shared)
    await slack.edit_message(shared, f"and you, <@{slack.state.bot_user}>? min:0")
    await settled(slack, app)
    assert len(thread_texts(slack, shared)) == 1


async def test_author_is_told_directly_where_the_bot_may_not_write(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.refuse_next("chat.postMessage", "restricted_action")
    shared = await slack.upload(VALVE)
    notice = await slack.wait_for(lambda message: message.channel.startswith("D"))
    assert f"<#{GENERAL}>" in notice.everything
    await settled(slack, app)
    assert thread_texts(slack, shared) == []
