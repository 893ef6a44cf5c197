"""Images in mentions, direct messages, threads, formats that only some can read, and stubs."""

from __future__ import annotations

import pytest

from bot.blocks.wording import images as wording
from bot.domain.channels import ChannelMode
from handlers.slack import files
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Json
from tests.fakes.slack.files import connect_stub, processing_stub, tombstone
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, action_ids, shown_pictures
from tests.scenario.support.shares import entities, reply, settled, watch

DIRECT, GROUP = "D0SOMEONE", "G0GROUP"


@pytest.mark.parametrize("mode", ChannelMode)
async def test_mention_with_an_image_is_answered_in_every_channel_mode(
    slack: FakeSlack, start: Start, mode: ChannelMode
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, mode, "parts", minimum=9)
    shared = await slack.upload(VALVE, text="what is this?", mention=True)
    answer = await reply(slack, shared)
    assert "`valve_0042`" in answer.everything
    await settled(slack, app)
    assert len(slack.replies(shared.ts)) == 1
    assert slack.reactions(shared) == []
    assert await entities(app) == ["valve_0042"]


async def test_mention_with_an_image_in_a_thread_is_answered_there(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.OFF)
    first = await slack.say("who can help?")
    shared = await slack.upload(VALVE, thread_ts=first.ts, mention=True)
    answer = await reply(slack, shared)
    assert answer.thread_ts == first.ts
    assert "`valve_0042`" in answer.everything


async def test_mention_without_a_database_is_answered_each_time(slack: FakeSlack, start: Start) -> None:
    await start()
    for _ in range(2):
        shared = await slack.upload(VALVE, mention=True)
        assert "no image database yet" in (await reply(slack, shared)).everything


async def test_image_in_a_direct_message_is_answered_there(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await fill(app, "logos", acme=VALVE)
    slack.add_channel(DIRECT, "", kind="im")
    shared = await slack.upload(VALVE, channel=DIRECT, text="in:parts")
    answer = await reply(slack, shared)
    assert (answer.channel, answer.thread_ts, answer.to) == (DIRECT, shared.ts, "")
    assert "`valve_0042`" in answer.everything
    # A direct message has nobody to share with.
    assert "results_share" not in action_ids(answer)
    for _ in range(2):
        unclear = await slack.upload(VALVE, channel=DIRECT)
        notice = await reply(slack, unclear)
        assert "`logos`, `parts`" in notice.everything
    await settled(slack, app)
    assert len(slack.replies(shared.ts)) == 1


async def test_image_in_a_group_message_is_answered_as_in_a_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.add_channel(GROUP, "mpdm-one--two-1", kind="mpim", members=[SOMEONE, "U0OTHER"])
    shared = await slack.upload(VALVE, channel=GROUP, user="U0OTHER")
    answer = await reply(slack, shared)
    assert (answer.channel, answer.to) == (GROUP, "")
    assert "`valve_0042`" in answer.everything


async def test_uploads_of_bots_are_ignored(slack: FakeSlack, start: Start) -> None:
    """The bot's own uploads, and those of other bots, are no questions."""
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.COLLECT, "parts")
    share: Json = {"type": "message", "subtype": "file_share", "channel": GENERAL, "channel_type": "channel"}
    share |= {"ts": "1.000001", "user": "U0OTHERBOT", "files": [slack.host(GASKET).info]}
    await slack.event(share | {"bot_id": "B0OTHER"})
    await slack.event(share | {"bot_profile": {"id": "B0OTHER"}})
    await slack.event(share | {"user": slack.state.bot_user})
    await slack.event(share | {"user": "USLACKBOT"})
    await settled(slack, app)
    assert (slack.transcript, await entities(app)) == ([], ["valve_0042"])


@pytest.mark.parametrize(("kind", "suffix"), [("HEIF", "heic"), ("WEBP", "webp"), ("GIF", "gif"), ("JPEG", "jpg")])
async def test_formats_of_phones_and_browsers_are_looked_up_and_shown(
    slack: FakeSlack, start: Start, kind: str, suffix: str
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    content = encoded(photo(640, 480, seed=1), kind)
    await slack.wait_for_reaction(await slack.upload(slack.host(content, f"valve.{suffix}")))
    answer = await reply(slack, await slack.upload(VALVE, mention=True))
    assert "`valve`" in answer.everything
    [shown] = shown_pictures(answer)
    file = slack.state.files[shown["slack_file"]["id"]]
    # The stand-in refuses formats that Slack can't show. It can show this one.
    assert file.info["mimetype"] in {"image/jpeg", "image/gif"}
    again = await reply(slack, await slack.upload(slack.host(content, f"again.{suffix}"), mention=True))
    assert "same image" in again.everything


async def test_image_with_a_wrong_name_and_type_is_looked_up(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    for changes in ({"mimetype": "application/octet-stream"}, {"mimetype": "image/heic"}, {"mimetype": "IMAGE/PNG"}):
        answer = await reply(slack, await slack.upload(slack.host(VALVE, "valve.bin", **changes)))
        assert "`valve_0042`" in answer.everything


@pytest.mark.parametrize("mode", [ChannelMode.LOOKUP, ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_stubs_are_resolved_in_every_mode(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, mode: ChannelMode
) -> None:
    monkeypatch.setattr(files, "STUB_DELAYS_S", (0.01, 0.01, 0.01))
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, mode, "parts")
    foreign, slow = slack.host(VALVE, "foreign.png"), slack.host(GASKET, "slow.png")
    foreign.stub = connect_stub(foreign.id)
    slow.stub, slow.stubs = processing_stub(slow.info), 2
    shared = await slack.upload(foreign, slow)
    await settled(slack, app)
    notice = [message.everything for message in slack.replies(shared.ts)]
    if mode is ChannelMode.COLLECT:
        assert (notice, slack.reactions(shared)) == ([], ["white_check_mark", "repeat"])
    else:
        assert len(notice) == 1
        assert "`valve_0042`" in notice[0]
    assert await entities(app) == (["valve_0042"] if mode is ChannelMode.LOOKUP else ["valve_0042", "slow"])


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_unresolved_stubs_are_explained_to_their_author(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, mode: ChannelMode
) -> None:
    monkeypatch.setattr(files, "STUB_DELAYS_S", (0.01, 0.01, 0.01))
    app = await start()
    await fill(app, "parts")
    await watch(app, mode, "parts")
    stuck = slack.host(VALVE, "stuck.png")
    stuck.stub, stuck.stubs = processing_stub(stuck.info), 99
    shared = await slack.upload(stuck)
    await settled(slack, app)
    notice = [message for message in slack.transcript if message.to == SOMEONE]
    assert len(notice) == 1
    assert wording.FILE_STILL_PROCESSING in notice[0].everything
    assert slack.reactions(shared) == ["warning"]


async def test_file_deleted_before_its_lookup_is_explained(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    gone = slack.host(VALVE)
    gone.stub = tombstone(gone.id)
    answer = await reply(slack, await slack.upload(gone, mention=True))
    assert wording.FILE_DELETED in answer.everything


async def test_nothing_happens_where_the_bot_is_not_a_member(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.add_channel("C0AWAY", "away", bot_is_member=False)
    shared = await slack.upload(VALVE, channel="C0AWAY")
    await settled(slack, app)
    assert slack.replies(shared.ts) == []


async def test_private_channel_is_answered_like_any_other(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.add_channel("C0PRIVATE", "secrets", kind="private")
    answer = await reply(slack, await slack.upload(VALVE, channel="C0PRIVATE"))
    assert "`valve_0042`" in answer.everything
