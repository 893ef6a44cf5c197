"""Files of kinds that can't be read are compared by a rendition or preview of Slack's, where somebody asks."""

from __future__ import annotations

import pytest

from bot.blocks.wording.images import ADDED_BY_PREVIEW, no_preview
from bot.blocks.wording.results import COMPARED_BY_PREVIEW
from bot.domain.channels import ChannelMode
from handlers.slack import files
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import VALVE, run_command
from tests.scenario.support.shares import NEW, ORIGINAL, images_in, reply, settled, watch

PDF, PSD, MP4 = b"%PDF-1.7 not read", b"8BPS\0\1 not read", b"\0\0\0\x18ftypmp42 not read"
DIRECT = "D0SOMEONE"
BEST = "Best match in parts: valve_0042"


async def test_previews_are_compared_where_somebody_asks_and_the_answer_says_so(slack: FakeSlack, start: Start) -> None:
    slack.add_channel(DIRECT, "", kind="im", members=[SOMEONE])
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    pdf = slack.host_with_preview(PDF, "data sheet.pdf", VALVE)
    video = slack.host_with_preview(MP4, "clip.mp4", VALVE, "thumb_video")
    unasked = await slack.upload(pdf, video)
    await settled(slack, app)
    assert slack.replies(unasked.ts) == []
    for asked in (
        await slack.upload(pdf, channel=DIRECT),
        await slack.upload(video, text="seen this?", mention=True),
        await slack.forward(unasked, channel=DIRECT),
    ):
        answer = await reply(slack, asked)
        assert answer.everything.count("`valve_0042`") == len(asked.files or "12")
        assert answer.everything.count(COMPARED_BY_PREVIEW) == len(asked.files or "12")
    await slack.shortcut_message("find_similar", unasked)
    assert (await slack.wait_for_answer()).everything.count(COMPARED_BY_PREVIEW) == len("12")
    answer = await run_command(slack, "search last")
    assert (BEST in answer.text, COMPARED_BY_PREVIEW in answer.everything) == (True, True)
    await fill(app, "logos")
    assert ADDED_BY_PREVIEW in (await run_command(slack, "add last in:logos id:sheet")).everything
    assert len(await images_in(app, "logos")) == 1
    # Only the previews were downloaded.
    plain = await slack.upload(VALVE)
    assert COMPARED_BY_PREVIEW not in (await reply(slack, plain)).everything


@pytest.mark.parametrize("mode", [ChannelMode.LOOKUP, ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_unreadable_images_of_watched_channels_are_read_by_their_preview(
    slack: FakeSlack, start: Start, mode: ChannelMode
) -> None:
    app = await start()
    await fill(app, "parts", known=ORIGINAL)
    await watch(app, mode, "parts")
    psd = slack.host_with_preview(PSD, "design.psd", ORIGINAL, "thumb_480", mimetype="image/vnd.adobe.photoshop")
    new = slack.host_with_preview(PSD, "new.jp2", NEW, "thumb_960", mimetype="image/jp2")
    shared = await slack.upload(psd, new)
    if mode is not ChannelMode.COLLECT:
        answer = await reply(slack, shared)
        assert "`known`" in answer.everything
        assert COMPARED_BY_PREVIEW in answer.everything
    await settled(slack, app)
    private = [message for message in slack.transcript if message.to == SOMEONE]
    if mode is ChannelMode.COLLECT:
        [told] = private
        assert "`new.jp2`" in told.everything
        assert "by its preview" in told.everything
        assert slack.reactions(shared) == ["white_check_mark", "repeat"]
    else:
        assert private == []
    added = {record.source_name for record in await images_in(app)}
    assert added == ({""} if mode is ChannelMode.LOOKUP else {"", "new.jp2"})


async def test_preview_that_slack_makes_later_is_awaited(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "STUB_DELAYS_S", (0.01, 0.01, 0.01))
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    pdf = slack.host_with_preview(PDF, "sheet.pdf", VALVE)
    pdf.stub = {name: value for name, value in pdf.info.items() if not name.startswith("thumb_")}
    pdf.stubs = 2
    answer = await reply(slack, await slack.upload(pdf, mention=True))
    assert (BEST in answer.text, COMPARED_BY_PREVIEW in answer.everything) == (True, True)
    never = await slack.upload(slack.host(PDF, "never.pdf"), mention=True)
    assert no_preview("never.pdf") in (await reply(slack, never)).everything
    assert [call.args["file"] for call in slack.calls("files.info")].count(pdf.id) == len("123")


async def test_command_beside_a_document_is_run(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(slack.host_with_preview(PDF, "sheet.pdf", VALVE), text="status", mention=True)
    await settled(slack, app)
    [answer] = [m for m in slack.state.messages if m.user in slack.state.bot_users and m.ts > shared.ts]
    assert (answer.channel, "valve_0042" in answer.everything) == (GENERAL, False)


async def test_file_outside_slack_is_compared_by_slacks_copy(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    changes = {"is_external": True, "mode": "external", "mimetype": "image/png"}
    outside = slack.host_with_preview(b"", "drive.png", VALVE, "thumb_800", **changes)
    outside.info["url_private"] = "https://drive.example.com/file"
    answer = await reply(slack, await slack.upload(outside))
    assert (BEST in answer.text, COMPARED_BY_PREVIEW in answer.everything) == (True, True)
