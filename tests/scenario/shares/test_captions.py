"""Text beside images in watched channels: never a reason to refuse, and kept in the note unless it is a modifier."""

from __future__ import annotations

import pytest

from bot.domain.channels import ChannelMode
from tests.fakes.slack import SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import VALVE
from tests.scenario.support.shares import entities, images_in, reply, settled, watch

LONG_ID = "id:" + "4711-" * 13
PROSE = [
    LONG_ID,
    "in:side view",
    "top:shelf",
    "min:lots of dust",
    'note:"still good',
    "note:“still good",
    "found in:nope",
    "in:my-parts, top:99",
]
DIRECT = "D0SOMEONE"


@pytest.mark.parametrize("text", PROSE)
async def test_caption_never_cancels_a_lookup(slack: FakeSlack, start: Start, text: str) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    answer = await reply(slack, await slack.upload(VALVE, text=text))
    assert "`valve_0042`" in answer.everything
    await settled(slack, app)
    assert [message for message in slack.transcript if message.to] == []


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
@pytest.mark.parametrize("text", PROSE)
async def test_caption_is_kept_as_the_note(slack: FakeSlack, start: Start, mode: ChannelMode, text: str) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, mode, "parts")
    shared = await slack.upload(slack.host(VALVE, "valve.png"), text=text)
    await settled(slack, app)
    [record] = await images_in(app)
    assert (record.entity, record.note) == ("valve", text)
    assert "warning" not in slack.reactions(shared)
    # An id that can't be used is the only thing that its author is told about, and they alone.
    told = [message.to for message in slack.transcript if message != shared]
    assert told == ([SOMEONE] if text == LONG_ID else [])


@pytest.mark.parametrize("text", PROSE)
@pytest.mark.parametrize("place", ["mention", "direct"])
async def test_mistake_in_a_question_is_explained(slack: FakeSlack, start: Start, text: str, place: str) -> None:
    app = await start()
    await fill(app, "parts", ball_valve=VALVE)
    if place == "direct":
        slack.add_channel(DIRECT, "", kind="im")
        shared = await slack.upload(VALVE, channel=DIRECT, text=text)
    else:
        shared = await slack.upload(VALVE, text=text, mention=True)
    await settled(slack, app)
    [answer] = [message for message in slack.transcript if message.user == slack.state.bot_user]
    assert "ball_valve" not in answer.everything
    # An id that can't be used has a button for one that can.
    assert (len(answer.blocks), bool(answer.to)) == (1 + (text == LONG_ID), place == "mention")
    assert answer.thread_ts in {shared.thread_ts, shared.ts}


async def test_existing_database_in_a_caption_takes_the_image(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    await watch(app, ChannelMode.COLLECT, "parts")
    await slack.upload(slack.host(VALVE, "valve.png"), text="found in:nope, belongs in:logos id:v_1 shelf")
    await settled(slack, app)
    assert (await entities(app), await entities(app, "logos")) == ([], ["v_1"])
    [record] = await images_in(app, "logos")
    assert record.note == "found in:nope, belongs shelf"


async def test_guard_keeps_the_name_of_another_database_as_prose(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    await watch(app, ChannelMode.GUARD, "parts")
    await slack.upload(slack.host(VALVE, "valve.png"), text="seen in:logos")
    await settled(slack, app)
    assert await entities(app, "logos") == []
    assert [record.note for record in await images_in(app)] == ["seen in:logos"]
