"""A table shared with the bot, with its pictures in a ZIP, beside it, or at web addresses, is an import."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.domain.channels import ChannelMode
from bot.services.images.addition import AddService
from bot.services.imports import archive
from handlers.jobs import table_imports
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE
from tests.scenario.support.shares import images_in, reply, retry_at_once, running, settled, watch

DIRECT = "D0BOT"


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP of files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packing:
        for name, content in files.items():
            packing.writestr(name, content)
    return stream.getvalue()


ZIP = packed({"my photos/Valve.png": VALVE, "my photos/gasket.png": GASKET, "more.zip": packed({"x.png": UNRELATED})})
TABLE = 'File;SKU;Note\r\nphotos\\valve.png;VLV-0042/A;"brass; DN 25"\r\nGasket.PNG;Gasket 7;\r\ngone.png;g;\r\n'


async def test_table_with_a_zip_is_imported_and_reported(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    slack.add_channel(DIRECT, "", kind="im", members=[SOMEONE])
    files = [slack.host(TABLE.encode("cp1252"), name="parts.csv"), slack.host(ZIP, name="photos.zip")]
    shared = await slack.upload(*files, channel=DIRECT)
    answer = await reply(slack, shared)
    await settled(slack, app)
    assert len(slack.replies(shared.ts)) == 1
    report = slack.replies(shared.ts)[0].everything
    assert "Imported `parts.csv` into `parts`: 2 new, 1 refused." in report
    assert "Line 4, `gone.png`: photos.zip has no file of this name." in report
    assert answer.ts == slack.replies(shared.ts)[0].ts
    records = {str(record.entity): record for record in await images_in(app)}
    assert {entity: record.note for entity, record in records.items()} == {"VLV-0042/A": "brass; DN 25", "Gasket 7": ""}
    first = records["VLV-0042/A"].first
    assert first.slack is not None
    assert (first.author, first.source_name, first.slack.file_id) == (SOMEONE, "valve.png", files[1].id)
    assert (first.slack.channel, first.slack.message_ts) == (DIRECT, shared.ts)


async def test_mention_imports_pictures_from_addresses_and_files_beside_the_table(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts")
    await fill(app, "logos")
    url = pictures.url("valve.png", VALVE)
    table = f"ImageUrl,EntityId,ExtraData\n{url},v,\ngasket.png,g,\n../../etc/passwd,x,\n/etc/hostname,y,\n"
    files = [slack.host(table.encode(), name="parts.csv"), slack.host(GASKET, name="gasket.png")]
    shared = await slack.upload(*files, text="in:parts", mention=True)
    await reply(slack, shared)
    await settled(slack, app)
    [answer] = slack.replies(shared.ts)
    assert "2 new, 2 refused" in answer.everything
    assert "passwd is not beside the table" in answer.everything
    assert [str(record.entity) for record in await images_in(app)] == ["v", "g"]
    assert await images_in(app, "logos") == []


async def test_table_in_a_channel_without_a_mention_is_left_alone(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await slack.upload(slack.host(TABLE.encode(), name="parts.csv"), channel=GENERAL)
    await settled(slack, app)
    assert [message for message in slack.transcript if message.user == slack.state.bot_user] == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('File,SKU\nvalve.png,"2" pipe"\n', "line 2: There is text after a closing quote"),
        ("File,SKU,Price\nvalve.png,v,2\n", "I don't know the column “Price”. Call the columns"),
    ],
)
async def test_table_that_is_not_sure_is_refused(slack: FakeSlack, start: Start, table: str, said: str) -> None:
    app = await start()
    await fill(app, "parts")
    files = [slack.host(table.encode(), name="parts.csv"), slack.host(ZIP, name="photos.zip")]
    shared = await slack.upload(*files, mention=True)
    await reply(slack, shared)
    await settled(slack, app)
    assert said in slack.replies(shared.ts)[0].everything
    assert await images_in(app) == []


async def test_limits_are_kept_and_said(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await start()
    await fill(app, "parts")
    table = slack.host(b"File,SKU\nmore.zip,z\nvalve.png,v\n", name="parts.csv")
    shared = await slack.upload(table, slack.host(ZIP, name="photos.zip"), mention=True)
    await reply(slack, shared)
    await settled(slack, app)
    assert "archive within the archive" in slack.replies(shared.ts)[0].everything
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1_000)
    shared = await slack.upload(table, slack.host(ZIP, name="photos.zip"), mention=True)
    await reply(slack, shared)
    await settled(slack, app)
    assert "photos.zip holds more than" in slack.replies(shared.ts)[0].everything
    monkeypatch.setattr(table_imports, "MAX_ROWS", 1)
    shared = await slack.upload(table, slack.host(ZIP, name="photos.zip"), mention=True)
    await reply(slack, shared)
    await settled(slack, app)
    assert "more than 1 rows" in slack.replies(shared.ts)[0].everything


async def test_interrupted_import_goes_on_without_doubles(
    slack: FakeSlack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retry_at_once(monkeypatch)
    monkeypatch.setattr(table_imports, "ROWS_AT_ONCE", 1)
    add_all, calls = AddService.add_all, 0

    async def failing(self: AddService, *arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError("the process is dying")
        return await add_all(self, *arguments)  # type: ignore[arg-type]

    async with running(slack, tmp_path / "data") as app:
        await fill(app, "parts")
        monkeypatch.setattr(AddService, "add_all", failing)
        files = [slack.host(TABLE.encode(), name="parts.csv"), slack.host(ZIP, name="photos.zip")]
        shared = await slack.upload(*files, mention=True)
        await reply(slack, shared)
        await slack.wait_for(lambda _: "2 new, 1 refused" in slack.replies(shared.ts)[0].everything)
        await settled(slack, app)
        assert len(slack.replies(shared.ts)) == 1
        assert len(await images_in(app)) == 2


async def test_update_needs_permission_and_changes_what_differs(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    files = [slack.host(b"File,SKU\nvalve.png,VLV-1\n", name="parts.csv"), slack.host(ZIP, name="photos.zip")]
    shared = await slack.upload(*files, mention=True)
    await reply(slack, shared)
    await settled(slack, app)
    assert "1 different" in slack.replies(shared.ts)[0].everything
    assert "with the word `update`" in slack.replies(shared.ts)[0].everything
    shared = await slack.upload(*files, mention=True, text="update")
    await reply(slack, shared)
    await settled(slack, app)
    assert "Only admins and whoever created" in slack.replies(shared.ts)[0].everything
    slack.add_person("U0ADMIN", is_admin=True)
    shared = await slack.upload(*files, mention=True, text="update", user="U0ADMIN")
    await reply(slack, shared)
    await settled(slack, app)
    assert [str(record.entity) for record in await images_in(app)] == ["VLV-1"]


@pytest.mark.parametrize("entity", ["secret_valve", "VLV-1"])
async def test_import_tells_nothing_of_an_image_that_its_author_cannot_see(
    slack: FakeSlack, start: Start, entity: str
) -> None:
    app = await start()
    await fill(app, "parts")
    slack.add_channel("C0THERE", "secrets", kind="private", members=["U0INSIDER"])
    await watch(app, ChannelMode.COLLECT, "parts", channel="C0THERE")
    hidden = slack.host(VALVE, f"{entity}.png")
    await slack.wait_for_reaction(await slack.upload(hidden, channel="C0THERE", user="U0INSIDER"))
    slack.add_person("U0ADMIN", is_admin=True)
    files = [
        slack.host(b"File,SKU,Note\nvalve.png,VLV-1,brass\n", name="parts.csv"),
        slack.host(ZIP, name="photos.zip"),
    ]
    shared = await slack.upload(*files, mention=True, text="update", user="U0ADMIN")
    await reply(slack, shared)
    await settled(slack, app)
    assert "into `parts`: 1 already there." in slack.replies(shared.ts)[0].everything
    [image] = await images_in(app)
    assert image.first.entity == entity
    assert image.first.note == ""
