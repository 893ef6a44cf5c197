"""“Compare”: both pictures side by side in a modal, for whoever may see both."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from PIL import Image, ImageOps

from bot.blocks.ids import ActionId
from bot.domain.identifiers import EntityId
from bot.services.search import picture_comparison
from handlers.replies.picture_lookup import PictureFinder
from tests.fakes.slack import SOMEONE, FakeSlack, Message, View
from tests.fixtures.pictures import encoded
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, act, action_ids, add_secret, key_of, press_as, run_command

OTHER = "U0OTHER"
MODAL = "comparison"
WAITING = "Comparing the two pictures"


def cut_and_mirrored(content: bytes) -> bytes:
    """Return a picture without its right fifth, mirrored."""
    with Image.open(io.BytesIO(content)) as image:
        return encoded(ImageOps.mirror(image.convert("RGB").crop((0, 0, image.width * 4 // 5, image.height))), "PNG")


EDITED = cut_and_mirrored(VALVE)


async def answered(slack: FakeSlack) -> Message:
    message = await slack.upload(EDITED, mention=True)
    return await answer_to(slack, message)


async def answer_to(slack: FakeSlack, message: Message) -> Message:
    """Return the answer itself, which may follow a sign of life."""
    return await slack.wait_for(lambda one: one.thread_ts == message.ts and "valve_0042" in one.everything)


def compare_of(answer: Message) -> str:
    return next(name for name in _ids(answer) if name.startswith(ActionId.COMPARE))


def _ids(answer: Message) -> list[str]:
    accessories = [block["accessory"] for block in answer.blocks if "accessory" in block]
    elements = [element for block in answer.blocks if block["type"] == "actions" for element in block["elements"]]
    return [element.get("action_id", "") for element in (*accessories, *elements)]


async def compared(slack: FakeSlack, answer: Message, *, user: str = SOMEONE) -> View:
    """Press “Compare”, and return the modal once it shows more than that it is at work."""
    await slack.press(answer, compare_of(answer), user=user)
    return await shown(slack, user)


async def shown(slack: FakeSlack, user: str = SOMEONE) -> View:
    for _ in range(1000):
        views = [view for view in slack.views(user) if view.callback_id == MODAL]
        if views and WAITING not in views[-1].everything:
            return views[-1]
        await asyncio.sleep(0.01)
    raise AssertionError("the comparison did not come")


def picture_in(view: View) -> dict[str, Any]:
    [image] = [block for block in view.blocks if block["type"] == "image"]
    return image


async def test_comparison_says_and_shows_what_was_done(slack: FakeSlack, start: Start, tmp_path: Path) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    answer = await answered(slack)
    before = len(slack.transcript)
    view = await compared(slack, answer)
    assert "The right 20 % were cut off, and it is mirrored." in view.everything
    assert "`valve_0042`" in view.everything
    image = picture_in(view)
    assert image["alt_text"].endswith("The right 20 % were cut off, and it is mirrored.")
    file = slack.state.files[image["slack_file"]["id"]]
    assert file.channels == set()
    with Image.open(io.BytesIO(file.content)) as drawn:
        assert drawn.width > 1.5 * drawn.height
    # It is in the modal alone, and will be deleted from Slack.
    assert len(slack.transcript) == before
    with closing(sqlite3.connect(tmp_path / "data" / "vsearch.db")) as connection:
        assert connection.execute("SELECT kind, name FROM pending_removals").fetchall() == [("upload", file.id)]
    # Pressed again, the same drawing is shown.
    assert picture_in(await compared(slack, answer))["slack_file"] == image["slack_file"]


async def test_only_what_was_laid_over_each_other_can_be_compared(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await answer_to(slack, await slack.upload(GASKET, text="min:0", mention=True))
    assert not [name for name in _ids(answer) if name.startswith(ActionId.COMPARE)]


async def test_every_picture_of_several_can_be_compared(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    answer = await answer_to(slack, await slack.upload(EDITED, GASKET, mention=True))
    assert len([name for name in action_ids(answer) if name == ActionId.COMPARE]) == 2
    await act(slack, answer, ActionId.COMPARE)
    assert "The right 20 % were cut off" in (await shown(slack)).everything


async def test_comparison_is_served_through_a_link_until_the_image_is_deleted(slack: FakeSlack, start: Start) -> None:
    app = await start(PUBLIC_BASE_URL="https://bot.example")
    await fill(app, "parts", valve_0042=VALVE)
    answer = await answered(slack)
    address = picture_in(await compared(slack, answer))["image_url"]
    async with AsyncClient(transport=ASGITransport(app.web), base_url="https://bot.example") as client:
        assert (await client.get(address)).headers["content-type"] == "image/jpeg"
        key = key_of(app, "parts")
        await app.services.deletions.delete(key, EntityId("valve_0042"))
        assert (await client.get(address)).status_code == 404
    view = await compared(slack, answer)
    assert "image" not in [block["type"] for block in view.blocks]
    assert "The right 20 %" not in view.everything


async def test_upload_of_a_deleted_image_is_deleted_at_once(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    file = picture_in(await compared(slack, await answered(slack)))["slack_file"]["id"]
    await app.services.deletions.delete(key_of(app, "parts"), EntityId("valve_0042"))
    workspace = key_of(app, "parts").workspace
    due = await app.services.storage.thumbnails.claim_removals(workspace, 10)
    assert file in [removal.name for removal in due]


async def test_image_that_became_hidden_is_not_compared(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    await add_secret(slack, app)
    await slack.upload(EDITED)
    mine = await run_command(slack, "search last in:parts")
    assert "secret_valve" in mine.everything
    assert "The right 20 %" in (await compared(slack, mine)).everything
    # Somebody who can't read the private channel forges the press; the comparison is cached.
    press_as(slack, monkeypatch, OTHER)
    view = await compared_by_stranger(slack, mine)
    assert "secret_valve" not in view
    assert "The right 20 %" not in view


async def compared_by_stranger(slack: FakeSlack, answer: Message) -> str:
    before = len(slack.transcript)
    await slack.press(answer, compare_of(answer), user=SOMEONE)
    for _ in range(500):
        texts = [view.everything for user in (OTHER, SOMEONE) for view in slack.views(user)]
        said = [text for text in texts if WAITING not in text and "The right 20 %" not in text]
        said += [message.everything for message in slack.transcript[before:]]
        if said:
            return said[-1]
        await asyncio.sleep(0.01)
    raise AssertionError("there was no answer")


async def test_asked_file_that_was_deleted_is_explained(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    message = await slack.upload(EDITED, mention=True)
    answer = await answer_to(slack, message)
    await (await slack.delete_file(message.files[0]))
    view = await compared(slack, answer)
    assert "share it again" in view.everything or "can't find that file" in view.everything


async def test_without_modals_the_comparison_comes_as_a_message(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await answered(slack)
    slack.refuse_next("views.open", "unknown_method")
    before = len(slack.transcript)
    await slack.press(answer, compare_of(answer))
    message = await slack.wait_for_answer(to=SOMEONE, after=before)
    assert "The right 20 % were cut off, and it is mirrored." in message.everything
    assert [block["type"] for block in message.blocks].count("image") == 1


async def test_picture_that_slack_refuses_is_left_out_of_the_words(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    answer = await answered(slack)
    slack.refuse_next("views.update", "invalid_blocks")
    view = await compared(slack, answer)
    assert "The right 20 % were cut off" in view.everything
    assert "image" not in [block["type"] for block in view.blocks]


async def test_more_presses_than_may_wait_are_told_to_come_back(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    answer = await answered(slack)
    released, waiting = asyncio.Event(), asyncio.Event()
    read = PictureFinder.picture

    async def slow(finder: PictureFinder, *asked: Any) -> Any:
        waiting.set()
        await released.wait()
        return await read(finder, *asked)

    monkeypatch.setattr(PictureFinder, "picture", slow)
    monkeypatch.setattr(app.services.comparisons._slots, "_max_waiting", 1)
    for _ in range(4):
        await slack.press(answer, compare_of(answer))
    await waiting.wait()
    assert "Try again in a minute" in (await shown(slack)).everything
    released.set()
    assert await app.wrapper.drain(10) == 0


async def test_flood_of_presses_draws_once(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    answer = await answered(slack)
    drawn = []
    draw = app.services.comparisons._drawn

    async def counted(*pictures: Any) -> Any:
        drawn.append(1)
        return await draw(*pictures)

    monkeypatch.setattr(picture_comparison.ComparisonService, "_drawn", lambda _, *pictures: counted(*pictures))
    for _ in range(12):
        await slack.press(answer, compare_of(answer))
    await shown(slack)
    assert await app.wrapper.drain(10) == 0
    assert sum(drawn) == 1
