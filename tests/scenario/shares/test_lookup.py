"""Images shared in a channel that looks up: which database, one offer, one answer however often it is delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Json, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, STRANGER, VALVE, action_ids
from tests.scenario.support.shares import quick, reply, running, settled, watch


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed jobs come back at once."""
    quick(monkeypatch)


def said(slack: FakeSlack, shared: Message) -> list[str]:
    """The bot's words in a message's thread."""
    return [message.everything for message in slack.replies(shared.reply_to)]


async def test_a_channel_that_nobody_set_looks_up_in_the_only_database(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE)
    answer = await reply(slack, shared)
    assert (answer.channel, answer.thread_ts, answer.to) == (GENERAL, shared.ts, "")
    assert "`valve_0042`" in answer.everything
    assert slack.reactions(shared) == []


async def test_a_channel_looks_up_in_the_database_that_was_chosen_for_it(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=VALVE)
    await watch(app, ChannelMode.LOOKUP, "logos")
    answer = await reply(slack, await slack.upload(VALVE))
    assert "`acme`" in answer.everything
    assert "valve_0042" not in answer.everything


async def test_what_is_written_beside_an_image_says_how_to_look(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET, other_1=STRANGER)
    await fill(app, "logos", acme=GASKET)
    answer = await reply(slack, await slack.upload(VALVE, text="who knows this? in:parts top:2 min:0"))
    assert "Top 2 of 3 matches" in answer.everything
    strict = await reply(slack, await slack.upload(VALVE, text="in:parts min:9.5"))
    assert "gasket_7" not in strict.everything
    assert "2 weaker matches hidden." in strict.everything


async def test_the_least_score_of_a_channel_holds_unless_a_message_says_another(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await watch(app, ChannelMode.LOOKUP, "parts", minimum=10)
    assert "No close matches in `parts`" in (await reply(slack, await slack.upload(STRANGER))).everything
    shown = await reply(slack, await slack.upload(STRANGER, text="min:0"))
    assert "`gasket_7`" in shown.everything


async def test_with_nothing_close_it_says_so_plainly(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    answer = await reply(slack, await slack.upload(VALVE))
    assert "No images in `parts` yet" in answer.everything
    assert answer.text == "No close matches in parts."


async def test_with_several_databases_a_channel_is_offered_them_once_and_for_all(
    slack: FakeSlack, tmp_path: Path
) -> None:
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
        assert (len(said(slack, first)), said(slack, second)) == (1, [])
    async with running(slack, tmp_path) as app:
        third = await slack.upload(STRANGER)
        await settled(slack, app)
        assert said(slack, third) == []
        # Who asks is told each time.
        asked = await slack.upload(VALVE, mention=True)
        assert "Which database should I search?" in (await reply(slack, asked)).everything
        await watch(app, ChannelMode.LOOKUP, "parts")
        chosen = await slack.upload(VALVE)
        assert "`valve_0042`" in (await reply(slack, chosen)).everything


async def test_an_offer_that_slack_did_not_take_is_made_again(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.break_next("chat.postMessage")
    shared = await slack.upload(VALVE)
    assert "no image database yet" in (await reply(slack, shared)).everything
    await settled(slack, app)
    assert len(said(slack, shared)) == 1


@pytest.mark.parametrize("how", ["answer", "offer"])
async def test_answer_with_a_lost_receipt_is_not_posted_again(slack: FakeSlack, start: Start, how: str) -> None:
    app = await start()
    if how == "answer":
        await fill(app, "parts", valve_0042=VALVE)
    slack.lose_next_answer("chat.postMessage")
    shared = await slack.upload(VALVE)
    await settled(slack, app)
    assert len(said(slack, shared)) == 1


async def test_after_a_restart_slacks_repetitions_start_nothing(slack: FakeSlack, tmp_path: Path) -> None:
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
        assert len(said(slack, shared)) == 1


async def test_what_waited_when_the_bot_stopped_is_answered_when_it_starts(
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
        assert said(slack, shared) == []
    async with running(slack, tmp_path) as app:
        assert "`valve_0042`" in (await reply(slack, shared)).everything
        await settled(slack, app)
        assert len(said(slack, shared)) == 1


async def test_a_channel_that_is_left_alone_is_left_alone_until_somebody_asks(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.OFF)
    quiet = await slack.upload(VALVE)
    await settled(slack, app)
    assert (said(slack, quiet), slack.reactions(quiet)) == ([], [])
    assert "`valve_0042`" in (await reply(slack, await slack.upload(VALVE, mention=True))).everything


async def test_repeated_events_of_one_share_are_answered_once(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE, text="what is it?", mention=True, redeliveries=1)
    await settled(slack, app)
    assert len(said(slack, shared)) == 1
    assert len(slack.calls("chat.postMessage")) == 1


async def test_an_edit_of_a_shared_message_starts_nothing(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE)
    await reply(slack, shared)
    await slack.edit_message(shared, f"and you, <@{slack.state.bot_user}>? min:0")
    await settled(slack, app)
    assert len(said(slack, shared)) == 1


async def test_where_the_bot_may_not_write_the_author_is_told_directly(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.refuse_next("chat.postMessage", "restricted_action")
    shared = await slack.upload(VALVE)
    told = await slack.wait_for(lambda message: message.channel.startswith("D"))
    assert f"<#{GENERAL}>" in told.everything
    await settled(slack, app)
    assert said(slack, shared) == []
