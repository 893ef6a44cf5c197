"""Presses in App Home: it is refreshed after each, and buttons of earlier versions still work."""

from __future__ import annotations

from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.home import URL, open_home, wait_until_shown
from tests.scenario.support.requests import VALVE, idle, key_of, message_after, names_of, run_command


async def test_presses_refresh_home_even_if_they_fail(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await fill(app, "parts", valve_0042=VALVE)
    home = await open_home(slack)
    await app.services.databases.delete(key_of(app, "parts"))
    before = len(slack.transcript)
    await slack.press_in_view(home, "list_page", about="parts")
    assert "parts" in (await message_after(slack, before)).text
    await wait_until_shown(slack, home, "No image databases yet")
    assert await names_of(app) == []


async def test_old_buttons_of_home_still_work(slack: FakeSlack, start: Start) -> None:
    app = await start(**URL)
    await run_command(slack, "db create parts")
    home = await open_home(slack)
    # A Home that was published by an earlier version has the button itself.
    settings = next(element for block in home.blocks if block["type"] == "actions" for element in block["elements"])
    settings["action_id"], settings["value"] = "delete_database", '{"database": "parts"}'
    await slack.press_in_view(home, "delete_database")
    form = await slack.wait_for_view("delete_database_form")
    await slack.submit(form, {"name": "parts"})
    await idle(app)
    assert await names_of(app) == []
