"""``/vsearch export`` sends an archive of what its author may see."""

from __future__ import annotations

import csv
import io
import zipfile

import pytest

from bot.domain.channels import ChannelMode
from handlers.replies.images import exports
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE
from tests.scenario.support.shares import images_in, settled, watch


async def archive_of(slack: FakeSlack) -> tuple[Message, zipfile.ZipFile]:
    message = await slack.wait_for(lambda m: m.via == "files.completeUploadExternal")
    return message, zipfile.ZipFile(io.BytesIO(message.files[0].content))


async def test_author_gets_pictures_and_table_directly(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await slack.command("export in:parts")
    message, archive = await archive_of(slack)
    await settled(slack, app)
    assert slack.state.channels[message.channel].kind == "im"
    table = archive.read("images.csv")
    assert table.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))
    assert [(row["entity"], row["note"]) for row in rows] == [
        ("valve_0042", "About valve_0042"),
        ("gasket_7", "About gasket_7"),
    ]
    assert {row["file"] for row in rows} == set(archive.namelist()) - {"images.csv"}
    assert archive.read(rows[0]["file"]).startswith(b"\xff\xd8\xff")
    said = [m.everything for m in slack.transcript if m.channel == message.channel and m.via == "chat.postMessage"]
    assert any("Exported 2 images of `parts`." in text for text in said)


async def test_export_has_only_what_its_author_may_see(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slack.add_channel("G0SECRET", "secret", kind="private", members=["U0OTHER"])
    await watch(app, ChannelMode.COLLECT, "parts", channel="G0SECRET")
    await slack.upload(GASKET, channel="G0SECRET", user="U0OTHER")
    await settled(slack, app)
    assert len(await images_in(app)) == 2
    await slack.command("export in:parts")
    _, archive = await archive_of(slack)
    assert b"valve_0042" in archive.read("images.csv")
    assert len(archive.namelist()) == 2


async def test_large_export_says_what_it_left_out(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "MAX_IMAGES", 1)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await slack.command("export")
    _, archive = await archive_of(slack)
    assert len(archive.namelist()) == 2
    await slack.wait_for(lambda m: "1 more didn't fit" in m.everything)


async def test_database_without_visible_images_is_not_sent(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await slack.command("export in:parts", user=SOMEONE, channel=GENERAL)
    await slack.wait_for(lambda m: "no images that you can see" in m.everything)
    await settled(slack, app)
    assert not [m for m in slack.transcript if "Packing" in m.everything]
