"""A server that speaks Slack's protocol but lacks methods: the bot shows less, but works."""

from __future__ import annotations

import asyncio

import pytest

from bot.app.slack_app import SlackApp
from tests.fakes.slack import SOMEONE, FakeSlack, Message
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, images_of, press, run_command

OPTIONAL = [
    "conversations.info",
    "conversations.members",
    "conversations.replies",
    "conversations.history",
    "reactions.add",
    "chat.getPermalink",
    "users.info",
    "files.getUploadURLExternal",
    "files.completeUploadExternal",
    "files.delete",
    "views.open",
    "views.push",
    "views.update",
    "views.publish",
    "chat.postEphemeral",
]


async def answered(slack: FakeSlack, shared: Message) -> Message:
    return await slack.wait_for_reply(shared.channel, shared.ts)


async def wait_until_collected(app: SlackApp, entity: str) -> None:
    """Wait until an image is in the database."""
    for _ in range(2000):
        if await images_of(app, "parts", entity):
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"{entity} was not added")


@pytest.mark.parametrize("missing", [*OPTIONAL, "all of them"])
async def test_share_is_answered_if_slack_lacks_a_method(
    slack: FakeSlack, start: Start, pictures: PictureServer, missing: str
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    for method in OPTIONAL:
        if missing in {method, "all of them"}:
            slack.refuse_next(method, "unknown_method", times=50)
    first = await answered(slack, await slack.upload(VALVE, text="top:1 min:0"))
    assert "`valve_0042`" in first.everything
    assert "`gasket_7`" in (await press(slack, first, "results_more")).everything
    mine = await run_command(slack, f"{pictures.url('v.png', VALVE)} min:0")
    assert "`valve_0042`" in mine.everything
    await slack.press(mine, "results_share")
    await slack.wait_for(lambda m: "Shared by" in m.everything)
    for command in ("status", "list in:parts", "delete gasket_7 in:parts", "search last in:parts", "db", "help"):
        answer = await run_command(slack, command)
        assert "wrong on my side" not in answer.text, command
    if missing.startswith("views"):
        await slack.command("")
        await slack.open_home()
    await run_command(slack, "watch collect in:parts")
    await slack.upload(slack.host(UNRELATED, "stranger.png"))
    await wait_until_collected(app, "stranger")


async def test_private_pictures_stay_private_without_member_lists(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    slack.add_channel("C0PRIVATE", "secrets", kind="private", members=[SOMEONE])
    await run_command(slack, "watch collect in:parts", channel="C0PRIVATE")
    await slack.upload(slack.host(UNRELATED, "codename.png"), channel="C0PRIVATE")
    await wait_until_collected(app, "codename")
    slack.refuse_next("conversations.members", "unknown_method", times=9)
    slack.refuse_next("conversations.info", "unknown_method", times=9)
    answer = await answered(slack, await slack.upload(UNRELATED))
    more = await run_command(slack, "list in:parts")
    assert "codename" not in answer.everything + more.everything
    assert "`valve_0042`" in more.everything
