"""“Search part of it”: numbered regions of the searched picture, and an answer for the one that somebody chooses."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from httpx import ASGITransport, AsyncClient
from PIL import Image

from bot.storage.sql_storage import SqlStorage
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, action_ids, add_secret, press, run_command

OTHER = "U0OTHER"


def collage(*pictures: bytes) -> bytes:
    """Return four pictures in two rows."""
    sheet = Image.new("RGB", (640, 480))
    for number, content in enumerate(pictures):
        with Image.open(io.BytesIO(content)) as image:
            sheet.paste(image.resize((320, 240)), (number % 2 * 320, number // 2 * 240))
    return encoded(sheet, "PNG")


async def answered(slack: FakeSlack, picture: bytes, text: str = "") -> Message:
    """Share a picture with a mention, and return the answer in the thread."""
    message = await slack.upload(picture, text=text, mention=True)
    return await slack.wait_for_reply(GENERAL, message.ts)


def pressable(message: Message) -> dict[str, dict[str, Any]]:
    """Return the buttons of a message by their labels."""
    rows = [block["elements"] for block in message.blocks if block["type"] == "actions"]
    return {element["text"]["text"]: element for row in rows for element in row}


async def press_part(slack: FakeSlack, choice: Message, where: str, *, user: str = SOMEONE) -> Message:
    """Press the button of a quarter or of the middle, and return the answer."""
    label = next(label for label in reversed(pressable(choice)) if label.endswith(where))
    return await press(slack, choice, pressable(choice)[label]["action_id"], user=user)


FILLERS = [encoded(photo(320, 240, seed=seed), "PNG") for seed in (50, 51, 52)]


async def test_part_of_a_collage_is_named_in_the_answer(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    answer = await answered(slack, collage(*FILLERS, VALVE))
    assert "`valve_0042`" in answer.everything
    assert "found in the bottom right part of the picture" in answer.everything


async def test_chosen_part_is_searched_for_the_person_alone(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    shared = collage(VALVE, FILLERS[0], GASKET, FILLERS[1])
    answer = await answered(slack, shared, "min:0")
    choice = await press(slack, answer, "results_choose_part", user=OTHER)
    assert (choice.to, choice.thread_ts) == (OTHER, answer.thread_ts)
    labels = list(pressable(choice))
    assert labels[-5:] == [
        f"{len(labels) - 4}. Middle",
        f"{len(labels) - 3}. Top left part",
        f"{len(labels) - 2}. Top right part",
        f"{len(labels) - 1}. Bottom left part",
        f"{len(labels)}. Bottom right part",
    ]
    found = await press_part(slack, choice, "Bottom left part", user=OTHER)
    assert found.to == OTHER
    assert "Best match in parts: gasket_7" in found.text
    assert "Searched only the bottom left part of the picture." in found.everything
    assert "results_add_this" not in action_ids(found)
    # The choice stays, and another part can be tried.
    again = await press_part(slack, choice, "Top left part", user=OTHER)
    assert "Best match in parts: valve_0042" in again.text
    # A page of it, and sharing it, are about the same part.
    await slack.press(again, "results_share", user=OTHER)
    public = await slack.wait_for(lambda m: f"Shared by <@{OTHER}>" in m.everything)
    assert "Searched only the top left part of the picture." in public.everything


async def test_regions_are_drawn_on_a_picture_that_belongs_to_no_channel(
    slack: FakeSlack, start: Start, tmp_path: Path
) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await answered(slack, UNRELATED)
    choice = await press(slack, answer, "results_choose_part")
    [image] = [block for block in choice.blocks if block["type"] == "image"]
    file = slack.state.files[image["slack_file"]["id"]]
    assert file.channels == set()
    with Image.open(io.BytesIO(file.content)) as drawn, Image.open(io.BytesIO(UNRELATED)) as original:
        assert drawn.size == (1023, 767)
        plain = np.asarray(original.resize(drawn.size, Image.Resampling.BICUBIC), np.int16)
        differs = np.abs(np.asarray(drawn, np.int16) - plain).max(axis=2) > 60
    assert 0.02 < differs.mean() < 0.35
    assert "with numbered frames" in image["alt_text"]
    # It will be deleted from Slack, though no image of a database uses it.
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
        assert connection.execute("SELECT kind, name FROM pending_removals").fetchall() == [("upload", file.id)]


async def test_answer_to_a_part_hides_what_its_reader_may_not_see(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    await add_secret(slack, app)
    answer = await answered(slack, collage(VALVE, *FILLERS), "min:0")
    for user, sees in ((OTHER, False), (SOMEONE, True)):
        choice = await press(slack, answer, "results_choose_part", user=user)
        found = await press_part(slack, choice, "Top left part", user=user)
        assert ("secret_valve" in found.everything) is sees
        assert ("hush" in found.everything) is sees


async def test_deleted_picture_is_explained_in_one_sentence(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    message = await slack.upload(UNRELATED, mention=True)
    answer = await slack.wait_for_reply(GENERAL, message.ts)
    choice = await press(slack, answer, "results_choose_part")
    await (await slack.delete_file(message.files[0]))
    for refused in (
        await press(slack, answer, "results_choose_part"),
        await press_part(slack, choice, "Top left part"),
    ):
        assert refused.to == SOMEONE
        assert "share it again" in refused.everything or "can't find that file" in refused.everything
        assert action_ids(refused) == []


async def test_part_of_an_address_is_searched_without_an_upload(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    await fill(await start(VSEARCH_TRUSTED_HOSTS=pictures.address), "parts", valve_0042=VALVE)
    answer = await run_command(slack, f"{pictures.url('c.png', collage(FILLERS[0], VALVE, *FILLERS[1:]))} min:0")
    slack.refuse_next("files.getUploadURLExternal", "internal_error")
    choice = await press(slack, answer, "results_choose_part")
    # The buttons say where the parts are, so they work without the drawing.
    assert [block for block in choice.blocks if block["type"] == "image"] == []
    found = await press_part(slack, choice, "Top right part")
    assert "Best match in parts: valve_0042" in found.text


async def test_drawing_is_served_through_a_link_if_the_bot_has_an_address(slack: FakeSlack, start: Start) -> None:
    app = await start(PUBLIC_BASE_URL="https://bot.example")
    await fill(app, "parts", valve_0042=VALVE)
    choice = await press(slack, await answered(slack, UNRELATED), "results_choose_part")
    [image] = [block for block in choice.blocks if block["type"] == "image"]
    assert image["image_url"].startswith("https://bot.example/media/")
    async with AsyncClient(transport=ASGITransport(app.web), base_url="https://bot.example") as client:
        served = await client.get(image["image_url"])
    assert served.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(served.content)) as drawn:
        assert drawn.size == (1023, 767)


async def test_expired_drawings_are_deleted_by_maintenance(slack: FakeSlack, start: Start, tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path / "data")
    await storage.relayed.put("0" * 32, b"jpeg", datetime(2026, 1, 1, tzinfo=UTC))
    await storage.close()
    await start()

    def left() -> list[tuple[str]]:
        with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
            return connection.execute("SELECT id FROM relayed_pictures").fetchall()

    for _ in range(1000):
        if not left():
            break
        await asyncio.sleep(0.01)
    assert left() == []
