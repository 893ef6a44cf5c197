"""Adding pictures from App Home: the first steps, the form, and what is entered again after a failure."""

from __future__ import annotations

from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.home import URL, open_home, wait_until_hidden, wait_until_shown
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, idle, images_of, key_of, message_after


async def test_beginners_get_three_steps_until_there_is_an_image(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    home = await open_home(slack)
    for step in ("Add your first pictures", "1.  *Create a database*", "2.  *Add pictures*", "3.  *Search*"):
        assert step in home.everything
    await slack.press_in_view(home, "create_database")
    await slack.submit(await slack.wait_for_view("create_database_form"), {"name": "parts"})
    await wait_until_shown(slack, home, "you have `parts`")
    await slack.press_in_view(home, "add_pictures")
    form = await slack.wait_for_view("add_pictures_form")
    before = len(slack.transcript)
    await slack.submit(form, {"files": VALVE, "entity": "valve_1"})
    answer = await message_after(slack, before)
    assert "`valve_1`" in answer.text
    assert slack.state.channels[answer.channel].kind == "im"
    await wait_until_hidden(slack, home, "Add your first pictures")
    assert "`parts`  ·  1 image" in home.everything
    assert len(await images_of(app, "parts", "valve_1")) == 1


async def test_pictures_are_added_from_files_and_an_address(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "logos")
    await fill(app, "parts", valve_0042=VALVE)
    home = await open_home(slack)
    await slack.press_in_view(home, "add_pictures", about="parts")
    form = await slack.wait_for_view("add_pictures_form")
    await slack.submit(form, {})
    assert set(form.errors) == {"files"}
    await slack.submit(form, {"url": "ftp://x", "entity": "x" * 70})
    assert set(form.errors) == {"url", "entity"}
    url = pictures.url("gasket.png", GASKET)
    before = len(slack.transcript)
    await slack.submit(form, {"files": [VALVE, UNRELATED], "url": url, "note": "spare"})
    answer = await message_after(slack, before)
    # Each picture is answered, also the one that is there already.
    assert "already in `parts`" in answer.everything
    await idle(app)
    added = await images_of(app, "parts", "gasket")
    assert [record.note for record in added] == ["spare"]
    assert "`parts`  ·  3 images" in home.everything
    assert slack.views() == []


async def test_failed_addition_opens_again_with_what_was_entered(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    home = await open_home(slack)
    await slack.press_in_view(home, "add_pictures")
    form = await slack.wait_for_view("add_pictures_form")
    await slack.submit(form, {"url": "http://127.0.0.1:9/x.png"})
    assert set(form.errors) == {"url"}
    await app.services.databases.delete(key_of(app, "parts"))
    await slack.submit(form, {"url": "http://127.0.0.1:9/x.png"})
    assert set(form.errors) == {"database"}
