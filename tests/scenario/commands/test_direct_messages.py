"""Text in a direct message to the bot is a command."""

from __future__ import annotations

from tests.fakes.slack import FakeSlack
from tests.fakes.slack.server import GENERAL, SOMEONE
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import Start, fill

DIRECT = "D0BOT"
VALVE = encoded(photo(640, 480, seed=1), "PNG")


async def test_direct_message_commands_are_answered_there(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.add_channel(DIRECT, "", kind="im", members=[SOMEONE])
    await slack.say("db", channel=DIRECT)
    answer = await slack.wait_for(lambda m: m.channel == DIRECT and m.user == slack.state.bot_user)
    assert "`parts`" in answer.everything
    assert answer.to == ""


async def test_unknown_direct_messages_get_the_help(slack: FakeSlack, start: Start) -> None:
    await start()
    slack.add_channel(DIRECT, "", kind="im", members=[SOMEONE])
    await slack.say("good morning", channel=DIRECT)
    answer = await slack.wait_for(lambda m: m.channel == DIRECT and m.user == slack.state.bot_user)
    assert "I don't know “good”" in answer.everything
    assert "/vsearch help" in answer.everything


async def test_channel_messages_without_a_mention_are_ignored(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await slack.say("db", channel=GENERAL)
    await slack.acknowledged(1)
    assert await app.wrapper.drain(10) == 0
    assert [m for m in slack.transcript if m.user == slack.state.bot_user] == []
