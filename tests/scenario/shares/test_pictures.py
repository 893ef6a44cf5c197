"""How an answer's pictures reach Slack: by signed link, as Slack's own file, as an upload, or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from bot.domain.channels import ChannelMode
from handlers.replies import uploads
from tests.fakes.slack import SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, run_command, shown_pictures
from tests.scenario.support.shares import reply, settled, watch
from tests.scenario.support.web_bot import web_bot

PUBLIC = "https://vsearch.example.com"


def files(message: Message) -> list[str]:
    """Return the ids of the Slack files that an answer shows."""
    return [picture["slack_file"]["id"] for picture in shown_pictures(message) if "slack_file" in picture]


async def test_uses_signed_links_with_a_public_base_url(slack: FakeSlack, tmp_path: Path) -> None:
    async with web_bot(slack, tmp_path, PUBLIC_BASE_URL=PUBLIC) as bot:
        await fill(bot.app, "parts", valve_0042=VALVE)
        answer = await reply(slack, await slack.upload(VALVE))
        [picture] = shown_pictures(answer)
        assert picture["image_url"].startswith(f"{PUBLIC}/media/")
        assert picture["alt_text"] == "valve_0042, 10/10, same image"
        response = await bot.browser.get(urlsplit(picture["image_url"]).path)
        with Image.open(io.BytesIO(response.content)) as image:
            assert image.format == "JPEG"
            assert max(image.size) == 320
        assert slack.state.uploads == {}


async def test_uses_slack_files_without_a_public_base_url(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(VALVE, "valve.png"))
    await slack.wait_for_reaction(shared)
    answer = await reply(slack, await slack.upload(VALVE, mention=True))
    assert files(answer) == [shared.files[0].id]
    assert slack.state.uploads == {}


async def test_uploads_the_picture_once_and_shares_it_with_nobody(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    first = await reply(slack, await slack.upload(VALVE))
    second = await reply(slack, await slack.upload(VALVE))
    third = await run_command(slack, "search last")
    [upload] = slack.state.uploads
    assert files(first) == files(second) == files(third) == [upload]
    assert slack.state.files[upload].channels == set()
    assert slack.state.files[upload].info["mimetype"] == "image/jpeg"


async def test_private_file_is_uploaded_for_permitted_readers_elsewhere(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    slack.add_channel("C0PRIVATE", "secrets", kind="private")
    await watch(app, ChannelMode.COLLECT, "parts", channel="C0PRIVATE")
    shared = await slack.upload(slack.host(VALVE, "valve.png"), channel="C0PRIVATE")
    await slack.wait_for_reaction(shared)
    there = await reply(slack, await slack.upload(VALVE, channel="C0PRIVATE", mention=True))
    assert files(there) == [shared.files[0].id]
    await slack.upload(GASKET)
    await slack.upload(VALVE)
    alone = await run_command(slack, "search last")
    [upload] = slack.state.uploads
    assert files(alone) == [upload]


async def test_upload_is_shown_after_slack_processed_it(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PROCESSING_DELAYS_S", (0.01, 0.01, 0.01))
    slack.state.processing_looks = 2
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await reply(slack, await slack.upload(VALVE))
    assert files(answer) == list(slack.state.uploads)


async def test_upload_that_slack_never_processes_is_left_out_of_the_answer(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PROCESSING_DELAYS_S", (0.01,))
    slack.state.processing_looks = 10_000
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await reply(slack, await slack.upload(VALVE))
    assert "`valve_0042`" in answer.everything
    assert files(answer) == []
    # The next answer tries it and learns that it can't be shown. The answer after that does not try.
    second = await reply(slack, await slack.upload(VALVE))
    slack.forgive("is still being processed")
    third = await reply(slack, await slack.upload(VALVE))
    assert files(second) == files(third) == []
    assert len(slack.state.uploads) == 1
    # The upload is deleted from Slack with its image.
    slack.state.processing_looks = 0
    slack.people[SOMEONE].is_admin = True
    await slack.press(await run_command(slack, "delete valve_0042 in:parts"), "delete_entity")
    await slack.wait_for_call("files.delete")


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal", "files.info"])
@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "internal_error"])
async def test_failed_upload_is_left_out_of_the_answer(slack: FakeSlack, start: Start, method: str, error: str) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.refuse_next(method, error, times=20)
    answer = await reply(slack, await slack.upload(VALVE))
    assert "`valve_0042`" in answer.everything
    assert files(answer) == []


async def test_failed_upload_does_not_affect_other_pictures(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    slack.refuse_next("files.getUploadURLExternal", "internal_error")
    answer = await reply(slack, await slack.upload(VALVE, text="min:0"))
    assert len(files(answer)) == 1
    again = await reply(slack, await slack.upload(VALVE, text="min:0"))
    assert len(files(again)) == 2


async def test_channel_that_the_bot_left_is_recognised_after_one_refusal(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    channel = slack.add_channel("C0LEFT", "left")
    await watch(app, ChannelMode.COLLECT, "parts", channel="C0LEFT")
    await slack.wait_for_reaction(await slack.upload(slack.host(VALVE, "valve.png"), channel="C0LEFT"))
    channel.bot_is_member = False
    first = await reply(slack, await slack.upload(VALVE))
    slack.forgive("is not shared with the bot")
    assert "`valve`" in first.everything
    assert files(first) == []
    second = await reply(slack, await slack.upload(VALVE))
    [upload] = slack.state.uploads
    assert files(second) == [upload]


async def test_several_pictures_in_one_message_show_each_match_with_its_picture(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    answer = await reply(slack, await slack.upload(slack.host(VALVE, "a.png"), slack.host(GASKET, "b.png")))
    assert len(slack.state.uploads) == 2
    assert set(files(answer)) == set(slack.state.uploads)
    await settled(slack, app)
