"""A picture shared in Slack, from the event to the answer in its thread."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.wording import images as wording
from bot.domain.errors import BackendDown
from handlers.slack import files
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.slack.files import connect_stub, processing_stub, tombstone
from tests.fakes.slack.server import GENERAL, SOMEONE
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import idle

VALVE = encoded(photo(640, 480, seed=1), "PNG")
GASKET = encoded(photo(640, 480, seed=2), "PNG")
UNRELATED = encoded(photo(640, 480, seed=3), "PNG")


async def reply(slack: FakeSlack, shared: Message) -> Message:
    return await slack.wait_for_reply(shared.channel, shared.ts)


async def settled(slack: FakeSlack, app: SlackApp, events: int) -> None:
    """Wait until this many events are acknowledged and handled."""
    await slack.acknowledged(events)
    assert await app.wrapper.drain(10) == 0
    await idle(app)


async def test_shared_picture_is_answered_in_its_thread(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    answer = await reply(slack, await slack.upload(VALVE))
    assert "`valve_0042`" in answer.everything
    assert "10/10" in answer.everything
    assert "same image" in answer.everything
    assert "`parts` (2 images)" in answer.everything
    assert "About valve_0042" in answer.everything
    assert answer.text == "Best match in parts: valve_0042, 10/10, same image."
    assert max(ack.seconds for ack in slack.state.acks) < 3


async def test_picture_in_a_thread_is_answered_there(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    first = await slack.upload(VALVE)
    await reply(slack, first)
    await slack.upload(VALVE, thread_ts=first.ts)
    await slack.wait_for(lambda _: len(slack.replies(first.ts)) == 2)


async def test_repeated_events_are_answered_once(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(VALVE, redeliveries=2, twins=2)
    await reply(slack, shared)
    await settled(slack, app, events=6)
    assert len(slack.replies(shared.ts)) == 1


async def test_several_pictures_get_one_reply(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    broken = slack.host(VALVE[:200], "broken.png")
    table = slack.host(b"%PDF-1.7", "table.pdf")
    shared = await slack.upload(slack.host(VALVE, "one.png"), slack.host(GASKET, "two.png"), broken, table)
    answer = await reply(slack, shared)
    for part in (
        "Picture 1",
        "`one.png`",
        "`valve_0042`",
        "`two.png`",
        "`gasket_7`",
        "Picture 3",
        "`broken.png`",
        "damaged",
    ):
        assert part in answer.everything
    assert "table.pdf" not in answer.everything
    await settled(slack, app, events=5)
    assert len(slack.replies(shared.ts)) == 1


@pytest.mark.parametrize(
    ("name", "content"), [("table.pdf", b"%PDF-1.7"), ("notes.txt", b"hello"), ("firmware.bin", b"\0\1\2\3" * 64)]
)
async def test_non_image_files_start_nothing(slack: FakeSlack, start: Start, name: str, content: bytes) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    shared = await slack.upload(slack.host(content, name))
    await settled(slack, app, events=2)
    assert slack.replies(shared.ts) == []


async def test_bots_images_and_edits_start_nothing(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    share = {
        "type": "message",
        "subtype": "file_share",
        "channel": GENERAL,
        "ts": "1.000001",
        "user": SOMEONE,
        "files": [slack.host(VALVE).info],
    }
    await slack.event(share | {"bot_id": "B0OTHER"})
    await slack.event(share | {"user": slack.state.bot_user})
    await slack.event(share | {"subtype": "message_changed", "message": share})
    await slack.event({"type": "reaction_added", "user": SOMEONE})
    await settled(slack, app, events=4)
    assert slack.transcript == []


async def test_picture_without_a_match_says_so(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await reply(slack, await slack.upload(UNRELATED))
    assert "10/10" not in answer.everything
    assert "same image" not in answer.everything


async def test_stubs_are_resolved_or_explained(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STUB_DELAYS_S", (0.01, 0.01, 0.01))
    await fill(await start(), "parts", valve_0042=VALVE)
    foreign, slow, stuck, gone, document = (slack.host(VALVE, f"{n}.png") for n in range(5))
    foreign.stub = connect_stub(foreign.id)
    slow.stub, slow.stubs = processing_stub(slow.info), 2
    stuck.stub, stuck.stubs = processing_stub(stuck.info), 99
    gone.stub = tombstone(gone.id)
    document.stub = connect_stub(document.id)
    document.info |= {"mimetype": "application/pdf"}
    answer = await reply(slack, await slack.upload(foreign, slow, stuck, gone, document))
    assert answer.everything.count("`valve_0042`") == 2
    assert wording.FILE_STILL_PROCESSING in answer.everything
    assert wording.FILE_DELETED in answer.everything
    assert "4.png" not in answer.everything


async def test_sign_in_page_in_place_of_a_picture_is_explained(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    file = slack.host(VALVE)
    file.refuses_token = True
    answer = await reply(slack, await slack.upload(file))
    assert "sign-in page" in answer.everything
    assert len(answer.blocks) == 1


async def test_token_is_not_sent_to_redirects_on_another_origin(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    file = slack.host(VALVE)
    file.redirect_to = slack.other_origin
    answer = await reply(slack, await slack.upload(file))
    assert "valve_0042" not in answer.everything
    assert [sent for sent in file.downloads if sent] == [f"Bearer {slack.state.bot_token}"]


async def test_file_above_our_limit_is_looked_up_by_slacks_thumbnail(slack: FakeSlack, start: Start) -> None:
    await fill(await start(VSEARCH_MAX_IMAGE_MB="1"), "parts", valve_0042=VALVE)
    large = slack.host(VALVE, "large.png", size=2_000_000)
    large.info["thumb_720"] = large.info["thumb_480"]
    answer = await reply(slack, await slack.upload(large))
    assert "`valve_0042`" in answer.everything


async def test_without_a_database_there_is_one_offer_per_channel(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.add_channel("C0OTHER", "other")
    first, second = await slack.upload(VALVE), await slack.upload(GASKET)
    other = await slack.upload(VALVE, channel="C0OTHER")
    assert "no image database yet" in (await reply(slack, other)).everything
    await settled(slack, app, events=6)
    assert len(slack.replies(first.ts)) + len(slack.replies(second.ts)) == 1


async def test_share_with_several_databases_lists_them(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=GASKET)
    answer = await reply(slack, await slack.upload(VALVE))
    assert "`logos`, `parts`" in answer.everything
    assert "in:" in answer.everything


async def test_command_looks_up_a_url(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", valve_0042=VALVE)
    await slack.command(f"<{pictures.url('v.png', VALVE)}|valve> in:parts top:3")
    answer = await slack.wait_for_answer()
    assert "`valve_0042`" in answer.everything
    assert answer.via == "response_url"


async def test_private_addresses_are_refused_without_a_request(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command(f"search {pictures.url('v.png', VALVE)}")
    answer = await slack.wait_for_answer()
    assert len(answer.blocks) == 1
    assert "valve_0042" not in answer.everything
    assert pictures.requests == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("help", "/vsearch search last"),
        ("db", "`parts`"),
        ("serach x", "Did you mean `/vsearch search`?"),
        ("search", "Which image should I look up?"),
        ("https://example.com/x.png top:99", "1 to 50"),
        ("https://example.com/x.png in:prats", "Did you mean “parts”?"),
        ("https://example.com/x.png in:<!channel>", "database name"),
        ('https://example.com/x.png in:"parts', "quote"),
        ("ftp://example.com/x.png", "image URL"),
        ("example.com/x.png", "Put https:// before"),
    ],
)
async def test_commands_are_answered_to_their_author_only(slack: FakeSlack, start: Start, text: str, says: str) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command(text)
    answer = await slack.wait_for_answer()
    assert says in answer.everything
    assert "<!channel" not in answer.everything


async def test_back_end_failure_is_reported_without_internals(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)

    async def fail(*_: object, **__: object) -> None:
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "search", fail)
    await slack.upload(VALVE)
    answer = await slack.wait_for_answer()
    assert answer.via == "chat.postEphemeral"
    assert "keep trying" in answer.text
    assert "secret" not in answer.everything


async def test_blocks_that_slack_refuses_are_sent_as_text(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.refuse_next("chat.postMessage", "invalid_blocks", times=2)
    answer = await reply(slack, await slack.upload(VALVE))
    assert answer.blocks == ()
    assert "valve_0042" in answer.text
