"""Images shared in a collect channel: each is added once and gets a reaction; only the author learns of failures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from bot.adapters.port import BatchAdding, ImageToAdd
from bot.domain.channels import ChannelKind, ChannelMode
from bot.domain.errors import BackendDown
from bot.domain.identifiers import DatabaseKey
from bot.images.decode import worker_pool
from bot.services.channels.collection import CollectService
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fixtures.pictures import encoded, quarters
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE
from tests.scenario.support.shares import entities, images_in, retry_at_once, settled, watch

DONE, KNOWN, FAILED = "white_check_mark", "repeat", "warning"


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed jobs at once."""
    retry_at_once(monkeypatch)


async def test_image_is_added_with_its_origin_from_slack(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(VALVE, "Ventil Größe 3.PNG"), text="Brass, from <@U0BOSS> &amp; co.")
    assert await slack.wait_for_reaction(shared) == DONE
    await settled(slack, app)
    [record] = await images_in(app)
    assert (record.entity, record.note) == ("Ventil Größe 3", "Brass, from  & co.")
    assert (record.added_by, record.source_name) == (SOMEONE, "Ventil Größe 3.PNG")
    assert record.origin is not None
    assert (record.origin.file_id, record.origin.channel) == (shared.files[0].id, GENERAL)
    assert (record.origin.message_ts, record.origin.kind) == (shared.ts, ChannelKind.PUBLIC)
    assert record.origin.permalink.endswith(f"/archives/{GENERAL}/p{shared.ts.replace('.', '')}")
    # Success causes no message.
    assert slack.transcript == [shared]
    assert slack.reactions(shared) == [DONE]


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("IMG_20261124_101500.jpg", "IMG_20261124_101500_F"),
        ("image.png", "image_F"),
        ("Screenshot 2026-11-24 at 10.15.00.png", "Screenshot 2026-11-24 at 10.15.00_F"),
        ("PXL_20261124.jpg", "PXL_20261124_F"),
        ("WhatsApp Image 2026-11-24.jpeg", "WhatsApp Image 2026-11-24_F"),
        ("写真.png", "写真_F"),
    ],
)
async def test_generic_camera_file_names_give_distinct_entities(
    slack: FakeSlack, start: Start, name: str, begins: str
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    for content in (VALVE, GASKET):
        await slack.wait_for_reaction(await slack.upload(slack.host(content, name)))
    first, second = await entities(app)
    assert first.startswith(begins)
    assert second.startswith(begins)
    assert first != second


@pytest.mark.parametrize(
    ("text", "entity", "note"),
    [
        ("id:valve_0042", "valve_0042", ""),
        ('id:valve_0042 note:"Ball valve, DN 50"', "valve_0042", "Ball valve, DN 50"),
        ("id:valve_0042 Ball valve", "valve_0042", "Ball valve"),
        ("Ball valve note:“from the yard”", "picture name", "from the yard"),
        ("Ball valve in:parts", "picture name", "Ball valve"),
        ("see <https://example.com/v?a=1&amp;b=2|the data sheet>", "picture name", "see the data sheet"),
        ("<https://example.com/v?a=1&amp;b=2>", "picture name", "https://example.com/v?a=1&b=2"),
    ],
)
async def test_message_text_gives_entity_and_note(
    slack: FakeSlack, start: Start, text: str, entity: str, note: str
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    await slack.wait_for_reaction(await slack.upload(slack.host(VALVE, "picture name.png"), text=text), DONE)
    [record] = await images_in(app)
    assert (record.entity, record.note) == (entity, note)


async def test_valid_images_are_added_and_invalid_ones_reported_to_the_author_only(
    slack: FakeSlack, start: Start
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    first = await slack.upload(UNRELATED)
    broken = slack.host(VALVE[:200], "broken.png")
    shared = await slack.upload(
        slack.host(VALVE, "one.png"), broken, slack.host(GASKET, "two.png"), thread_ts=first.ts, user="U0AUTHOR"
    )
    notice = await slack.wait_for_answer(to="U0AUTHOR")
    assert (notice.via, notice.channel, notice.thread_ts) == ("chat.postEphemeral", GENERAL, first.ts)
    assert "Couldn't add 1 of your images" in notice.everything
    assert "`broken.png`" in notice.everything
    assert "damaged" in notice.everything
    await settled(slack, app)
    assert sorted(slack.reactions(shared)) == sorted([DONE, FAILED])
    assert sorted(await entities(app)) == ["one", f"picture_{first.files[0].id}", "two"]
    assert [message for message in slack.transcript if message.user == slack.state.bot_user and not message.to] == []


async def test_invalid_image_gets_only_the_failure_reaction(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(VALVE[:200], "broken.png"))
    assert "damaged" in (await slack.wait_for_answer()).everything
    await settled(slack, app)
    assert slack.reactions(shared) == [FAILED]
    assert await images_in(app) == []


@pytest.mark.parametrize(("name", "content"), [("firmware.bin", b"\0\1\2\3" * 64), ("table.pdf", b"%PDF-1.7")])
async def test_other_files_get_no_reaction(slack: FakeSlack, start: Start, name: str, content: bytes) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(content, name))
    await settled(slack, app)
    assert (slack.reactions(shared), slack.transcript) == ([], [shared])


async def test_existing_image_gets_another_reaction_and_stays_unchanged(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(VALVE, text="id:other note:other")
    assert await slack.wait_for_reaction(shared) == KNOWN
    await settled(slack, app)
    assert slack.reactions(shared) == [KNOWN]
    [record] = await images_in(app)
    assert (record.entity, record.note) == ("valve_0042", "About valve_0042")
    # Only the author learns which id the picture has.
    first, told = slack.transcript
    assert (first, told.to) == (shared, SOMEONE)
    assert "already in `parts` as `valve_0042`, not as `other`" in told.everything
    assert "10/10" in told.everything
    assert "About valve_0042" in told.everything


async def test_two_equal_images_in_one_message_are_added_once(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(VALVE, "one.png"), slack.host(VALVE, "two.png"))
    await slack.wait_for_reaction(shared)
    await settled(slack, app)
    assert await entities(app) == ["one"]
    assert slack.reactions(shared) == [DONE]


async def test_crash_between_add_and_reaction_adds_nothing_twice(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    collect, crashes = CollectService.collect, [ConnectionError("killed")]

    async def dies_afterwards(self: CollectService, *given: object) -> object:
        added = await collect(self, *given)  # type: ignore[arg-type]
        if crashes:
            raise crashes.pop()
        return added

    monkeypatch.setattr(CollectService, "collect", dies_afterwards)
    shared = await slack.upload(slack.host(VALVE, "one.png"), slack.host(GASKET, "two.png"))
    assert await slack.wait_for_reaction(shared) == DONE
    await settled(slack, app)
    assert sorted(await entities(app)) == ["one", "two"]
    assert slack.reactions(shared) == [DONE]
    assert slack.transcript == [shared]


async def test_long_search_outage_is_reported_once_and_recovered(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    visual, down = app.services.visual, [BackendDown("away")] * 3
    assert isinstance(visual, BatchAdding)
    add = visual.add_images

    async def fails_at_first(database: DatabaseKey, images: Sequence[ImageToAdd]) -> object:
        if down:
            raise down.pop()
        return await add(database, images)

    monkeypatch.setattr(visual, "add_images", fails_at_first)
    shared = await slack.upload(slack.host(VALVE, "one.png"))
    assert await slack.wait_for_reaction(shared) == DONE
    await settled(slack, app)
    assert await entities(app) == ["one"]
    notice = [message for message in slack.transcript if message.to == SOMEONE]
    assert len(notice) == 1
    assert "I'll keep trying" in notice[0].text


async def test_mention_in_a_collect_channel_is_a_search(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(GASKET, text="have we this?", mention=True)
    await slack.wait_for_reply(GENERAL, shared.ts)
    await settled(slack, app)
    assert (await entities(app), slack.reactions(shared)) == (["valve_0042"], [])


async def test_collect_channel_without_a_database_gets_an_offer_and_stores_nothing(
    slack: FakeSlack, start: Start
) -> None:
    app = await start()
    await watch(app, ChannelMode.COLLECT)
    shared = await slack.upload(VALVE)
    assert "no image database yet" in (await slack.wait_for_reply(GENERAL, shared.ts)).everything
    await settled(slack, app)
    assert slack.reactions(shared) == []


@pytest.mark.parametrize("missing", ["reactions.add", "chat.getPermalink", "conversations.info", "chat.postEphemeral"])
async def test_images_are_collected_if_slack_lacks_a_method(slack: FakeSlack, start: Start, missing: str) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    slack.refuse_next(missing, "unknown_method", times=9)
    await slack.upload(slack.host(VALVE, "one.png"), slack.host(VALVE[:200], "broken.png"))
    await slack.wait_for(lambda message: "`broken.png`" in message.everything)
    await settled(slack, app)
    assert await entities(app) == ["one"]


async def test_picture_that_kills_its_decoder_is_refused_once_and_the_bot_goes_on(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def dying() -> subprocess.Popen[bytes]:
        started.append(1)
        code = "import os, sys; sys.stdin.buffer.readline(); os.kill(os.getpid(), 9)"
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(worker_pool, "_start", dying)
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    deadly = await slack.upload(slack.host(encoded(quarters(), "TIFF"), "deadly.tiff"))
    assert await slack.wait_for_reaction(deadly) == FAILED
    await settled(slack, app)
    assert started == [1]
    assert "can't be decoded safely" in slack.transcript[-1].text + str(slack.transcript[-1].blocks)
    good = await slack.upload(slack.host(VALVE, "valve.png"))
    assert await slack.wait_for_reaction(good) == DONE
