"""Forwarded messages: their files count as pictures on every surface, and as the channel's mode says."""

from __future__ import annotations

import pytest

from bot.blocks.wording.images import FILE_NOT_VISIBLE
from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.values import ConversationKind
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import VALVE, run_command
from tests.scenario.support.shares import NEW, ORIGINAL, edited_copy, images_in, reply, settled, watch

SOURCE, DIRECT = "C0SOURCE", "D0SOMEONE"


async def source_message(slack: FakeSlack, *contents: bytes, kind: ConversationKind = "public") -> Message:
    """Return a message with pictures in another channel, of which the bot got no event."""
    slack.add_channel(SOURCE, "source", kind=kind, members=["U0AUTHOR"], bot_is_member=False)
    files = [slack.host(content, f"{number}.png") for number, content in enumerate(contents, start=1)]
    message = await slack.upload(*files, channel=SOURCE, user="U0AUTHOR", text="id:private_7 hush")
    for file in files:
        file.channels.clear()
        file.channels.add(GENERAL)
    return message


async def test_question_about_a_forwarded_message_is_answered_once(slack: FakeSlack, start: Start) -> None:
    slack.add_channel(DIRECT, "", kind="im", members=[SOMEONE])
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=ORIGINAL)
    await watch(app, ChannelMode.OFF)
    source = await source_message(slack, VALVE, ORIGINAL)
    mentioned = await slack.forward(source, mention=True, text="seen this?", redeliveries=1)
    direct = await slack.forward(source, channel=DIRECT)
    # A forward of a forward.
    nested = await slack.forward(mentioned, channel=DIRECT, text="and again")
    for asked in (mentioned, direct, nested):
        answer = await reply(slack, asked)
        for part in ("1. 1.png", "`valve_0042`", "2. 2.png", "`gasket_7`"):
            assert part in answer.everything
    await settled(slack, app)
    assert [len(slack.replies(asked.ts)) for asked in (mentioned, direct, nested)] == [1, 1, 1]


async def test_shortcuts_and_commands_take_a_forwarded_picture(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.OFF)
    source = await source_message(slack, VALVE)
    general = slack.state.channels[GENERAL]
    general.bot_is_member = False
    forwarded = await slack.forward(source)
    general.bot_is_member = True
    await slack.shortcut_message("find_similar", forwarded)
    assert "Best match in parts: valve_0042" in (await slack.wait_for_answer()).text
    assert "Best match in parts: valve_0042" in (await run_command(slack, "search last")).text
    await fill(app, "logos")
    assert "Added" in (await run_command(slack, "add last in:logos id:star")).text
    [record] = await images_in(app, "logos")
    assert record.origin is not None
    assert (record.origin.file_id, record.origin.channel) == (source.files[0].id, GENERAL)
    assert record.origin.message_ts == forwarded.ts


async def test_forward_in_a_lookup_channel_is_answered(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    forwarded = await slack.forward(await source_message(slack, VALVE), text="look")
    assert "Best match in parts: valve_0042" in (await reply(slack, forwarded)).text


async def test_collected_forward_goes_with_its_file_or_its_message(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    source = await source_message(slack, ORIGINAL, NEW)
    first = await slack.forward(source, text="for the catalogue")
    await slack.wait_for_reaction(first, "white_check_mark")
    assert [[origin.slack and origin.slack.message_ts for origin in one.origins] for one in await images_in(app)] == [
        [first.ts],
        [first.ts],
    ]
    # What was said about it in the other channel stays there.
    assert {record.note for record in await images_in(app)} == {"for the catalogue"}
    second = await slack.forward(source)
    await slack.wait_for_reaction(second, "repeat")
    await (await slack.delete_file(source.files[0]))
    await settled(slack, app)
    [left] = await images_in(app)
    assert left.source_name == "2.png"
    await (await slack.take_out_forwards(first))
    await settled(slack, app)
    [left] = await images_in(app)
    assert [origin.slack and origin.slack.message_ts for origin in left.origins] == [second.ts]
    await (await slack.delete_message(second))
    await settled(slack, app)
    assert await images_in(app) == []


async def test_forward_stays_while_its_file_is_shared_anywhere(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    slack.add_channel("C0TWO", "two")
    file = slack.host(ORIGINAL, "one.png")
    kept = await slack.upload(file, channel="C0TWO")
    other = await slack.upload(file, channel="C0TWO")
    forwarded = await slack.forward(kept)
    await slack.wait_for_reaction(forwarded, "white_check_mark")
    await (await slack.unshare_file(file, other, names_channel=False))
    await settled(slack, app)
    assert len(await images_in(app)) == 1
    await (await slack.unshare_file(file, kept, names_channel=False))
    await settled(slack, app)
    assert await images_in(app) == []


async def test_guard_reports_a_forwarded_copy_and_adds_a_new_picture(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", known=ORIGINAL)
    await watch(app, ChannelMode.GUARD, "parts")
    source = await source_message(slack, edited_copy(), NEW)
    forwarded = await slack.forward(source)
    answer = await reply(slack, forwarded)
    assert "`known`" in answer.everything
    await settled(slack, app)
    assert sorted(record.source_name for record in await images_in(app)) == ["", "2.png"]


@pytest.mark.parametrize("kind", ["private", "public"])
async def test_forwarded_file_that_the_bot_cannot_read_gets_one_sentence(
    slack: FakeSlack, start: Start, kind: ConversationKind
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    source = await source_message(slack, VALVE, kind=kind)
    source.files[0].channels.clear()
    source.files[0].channels.add(SOURCE)
    asked = await slack.forward(source, mention=True)
    answer = await reply(slack, asked)
    assert FILE_NOT_VISIBLE in answer.everything
    assert len(answer.blocks) == 1
    assert source.files[0].downloads == []


async def test_private_picture_that_was_forwarded_shows_only_the_forward(slack: FakeSlack, start: Start) -> None:
    """A picture that a private channel's member forwards is public; what the private channel calls it is not."""
    slack.add_channel("C0PRIVATE", "secrets", kind="private", members=["U0AUTHOR"])
    app = await start()
    await fill(app, "parts")
    for channel in ("C0PRIVATE", GENERAL):
        await watch(app, ChannelMode.COLLECT, "parts", channel=channel)
    private = await slack.upload(
        slack.host(VALVE, "valve.png"), channel="C0PRIVATE", user="U0AUTHOR", text="id:secret_7 hush"
    )
    await slack.wait_for_reaction(private, "white_check_mark")
    assert "secret_7" not in (await run_command(slack, "list in:parts")).everything
    forwarded = await slack.forward(private, user="U0AUTHOR", text="id:open_1")
    await slack.wait_for_reaction(forwarded, "white_check_mark")
    shown = (await run_command(slack, "list in:parts")).everything
    assert "open_1" in shown
    assert "secret_7" not in shown
    assert "hush" not in shown
    assert private.ts.replace(".", "") not in shown
