"""Slack stand-ins that lack methods: the bot shows less, but still answers."""

from __future__ import annotations

from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import VALVE, idle, images_of, message_after, names_of, run_command, shown_pictures

LACKING = "unknown_method"


def remove_methods(slack: FakeSlack, *methods: str) -> None:
    """Remove these methods from the stand-in."""
    for method in methods:
        slack.refuse_next(method, LACKING, times=50)


async def test_commands_are_answered_without_channel_and_member_methods(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    remove_methods(slack, "conversations.info", "conversations.members", "users.info", "chat.getPermalink")
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await run_command(slack, "db create parts")
    shared = await slack.upload(VALVE)
    await slack.wait_for_reply(GENERAL, shared.ts)
    await run_command(slack, "add last in:parts id:valve")
    assert len(await images_of(app, "parts", "valve")) == 1
    assert "`valve`" in (await run_command(slack, "list in:parts")).everything
    assert "`/invite`" not in (await run_command(slack, "watch collect in:parts")).everything
    assert "healthy" in (await run_command(slack, "status")).everything
    question = await run_command(slack, "delete valve in:parts")
    await slack.press(question, "delete_entity")
    assert "Deleted 1 image" in (await slack.wait_for_edit(question)).everything


async def test_mention_is_answered_directly_without_ephemeral_messages(slack: FakeSlack, start: Start) -> None:
    await start()
    remove_methods(slack, "chat.postEphemeral")
    await slack.say("help", mention=True)
    notice = await slack.wait_for(lambda m: "/vsearch help watch" in m.everything)
    assert slack.state.channels[notice.channel].members == [SOMEONE]


async def test_answer_works_without_view_updates(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    remove_methods(slack, "views.update")
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    await slack.submit(form, {"files": VALVE})
    assert "`valve_0042`" in (await slack.wait_for_answer()).everything
    await idle(app)
    assert len(slack.transcript) == 1


async def test_pictures_are_left_out_if_uploads_are_unavailable(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", valve_0042=VALVE)
    remove_methods(slack, "files.getUploadURLExternal")
    answer = await run_command(slack, pictures.url("v.png", VALVE))
    assert "`valve_0042`" in answer.everything
    assert shown_pictures(answer) == []


async def test_last_without_a_history_says_so(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    remove_methods(slack, "conversations.history")
    assert "haven't seen an image" in (await run_command(slack, "search last")).text


async def test_missing_home_method_causes_no_error(slack: FakeSlack, start: Start) -> None:
    app = await start()
    remove_methods(slack, "views.publish", "views.open", "views.push")
    await slack.open_home()
    await idle(app)
    assert slack.home() is None
    before = len(slack.transcript)
    await slack.shortcut_global("search_by_image")
    assert "/vsearch help" in (await message_after(slack, before)).text
    assert await names_of(app) == []
