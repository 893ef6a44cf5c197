"""The gallery of a database: its menu, its order, jumping in it, and Browse in App Home."""

from __future__ import annotations

from bot.app.slack_app import SlackApp
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.identifiers import DataId
from tests.fakes.slack import SOMEONE, FakeSlack, Message
from tests.scenario.commands.test_images import collect_in_private_channel
from tests.scenario.conftest import Start, fill, fill_as
from tests.scenario.support.home import open_home
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    control_ids,
    idle,
    images_of,
    key_of,
    run_command,
    submit_form,
)
from tests.scenario.support.response_urls import pressed

OTHER = "U0OTHER"


async def choose(slack: FakeSlack, message: Message, action: str, data_id: DataId, user: str = SOMEONE) -> None:
    """Choose from the menu of a listed image."""
    option = {"value": f"{action}|parts|{data_id}"}
    chosen = {"type": "overflow", "action_id": "image_menu", "selected_option": option}
    await slack.deliver("interactive", pressed(slack, message, chosen, user=user))


async def choose_and_wait(
    slack: FakeSlack, message: Message, action: str, data_id: DataId, user: str = SOMEONE
) -> Message:
    """Choose from the menu of a listed image, and return the answer."""
    before = len(slack.transcript)
    await choose(slack, message, action, data_id, user)
    return await slack.wait_for_answer(to=user, after=before)


async def listed(slack: FakeSlack, app: SlackApp, entity: str) -> tuple[Message, DataId]:
    """Return a listing, and the first image of an id."""
    return await run_command(slack, "list in:parts"), (await images_of(app, "parts", entity))[0].data_id


async def test_similar_images_of_a_stored_one_are_found(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_1=VALVE, valve_2=GASKET)
    page, data_id = await listed(slack, app, "valve_1")
    assert control_ids(page) == ["image_menu:similar"] * 2
    answer = await choose_and_wait(slack, page, "similar", data_id)
    assert "`valve_1`" in answer.text
    matches = [block for block in answer.blocks if block["type"] == "image"]
    assert "valve_1" not in str(matches)
    assert "10/10" not in answer.everything
    # The listing stays.
    assert "`valve_1`" in page.everything


async def test_hidden_images_are_neither_similar_nor_found_by_their_data_id(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket=GASKET)
    await collect_in_private_channel(slack, app, VALVE, "secret_valve")
    page, data_id = await listed(slack, app, "gasket")
    secret = (await images_of(app, "parts", "secret_valve"))[0].data_id
    assert "secret" not in (await choose_and_wait(slack, page, "similar", data_id)).everything
    for action in ("similar", "photos", "move", "delete"):
        answer = await choose_and_wait(slack, page, action, secret)
        assert "That image isn't there any more" in answer.text
        assert "secret" not in answer.everything
    assert STALE_BUTTON in (await choose_and_wait(slack, page, "explode", data_id)).text


async def test_one_image_is_moved_and_deleted_from_its_menu(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"valve": VALVE, "gasket": GASKET, "odd": UNRELATED})
    page, data_id = await listed(slack, app, "valve")
    assert control_ids(page) == ["edit_image", "image_menu"] * 3
    await choose(slack, page, "move", data_id)
    form = await slack.wait_for_view("edit_image_form")
    assert [block["block_id"] for block in form.blocks if block["type"] == "input"] == ["entity"]
    await slack.submit(form, {"entity": "gasket"})
    await slack.wait_for(lambda message: "Renamed `valve` to `gasket`" in message.everything)
    first, second = await images_of(app, "parts", "gasket")
    assert {first.note, second.note} == {"About valve", "About gasket"}
    page = await run_command(slack, "list in:parts")
    assert "3 images of 2 ids in `parts`" in page.text
    assert "one of 2 photos" in page.everything
    photos = await choose_and_wait(slack, page, "photos", data_id)
    assert sum(block["type"] == "image" for block in photos.blocks) == 2

    question = await choose_and_wait(slack, page, "delete", data_id)
    assert "Delete this image of `gasket` from `parts`?" in question.text
    assert len(await images_of(app, "parts", "gasket")) == 2
    await slack.press(question, "delete_image")
    assert "Deleted one image of `gasket`" in (await slack.wait_for_edit(question)).text
    await idle(app)
    assert [record.data_id for record in await images_of(app, "parts", "gasket")] != [data_id]
    assert len(await images_of(app, "parts", "gasket")) == 1


async def test_nobody_changes_others_images_by_the_menu(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"valve": VALVE})
    page = await run_command(slack, "list in:parts", user=OTHER)
    assert control_ids(page) == ["image_menu:similar"]
    data_id = (await images_of(app, "parts", "valve"))[0].data_id
    for action in ("move", "delete"):
        refused = await choose_and_wait(slack, page, action, data_id, OTHER)
        assert "Only whoever added these images" in refused.text


async def test_listing_is_sorted_by_id_and_jumped_in(slack: FakeSlack, start: Start) -> None:
    app = await start()
    pictures = {"b_valve": VALVE, "c_gasket": GASKET, "a_odd": UNRELATED}
    await fill_as(SOMEONE, app, "parts", pictures)
    page = await run_command(slack, "list in:parts order:id")
    places = [page.everything.index(f"`{entity}`") for entity in sorted(pictures)]
    assert places == sorted(places)
    option = {"value": '{"database":"parts","order":"asc"}'}
    chosen = {"type": "static_select", "action_id": "list_sort", "selected_option": option}
    await slack.deliver("interactive", pressed(slack, page, chosen))
    oldest = await slack.wait_for_edit(page)
    assert "oldest first" in oldest.text

    jump = {"action_id": "list_jump", "value": '{"database":"parts","order":"id"}'}
    await slack.deliver("interactive", pressed(slack, oldest, jump))
    form = await slack.wait_for_view("list_jump_form")
    found = await submit_form(slack, form, prefix="C_")
    assert "1 image in `parts` with an id that starts with `C_`, by id" in found.text
    assert "`c_gasket`" in found.everything
    assert "Show all" in found.everything


async def test_home_browses_a_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await app.services.databases.create(key_of(app, "empty"))
    home = await open_home(slack)
    assert home.everything.count("Browse") == 1
    await slack.press_in_view(home, "list_page:browse")
    # In the app's own conversation: a Home tab has no other place for messages.
    message = await slack.wait_for(lambda message: "1 image in `parts`, newest first" in message.text)
    assert any(block["type"] == "image" for block in message.blocks)


async def test_buttons_of_older_listings_keep_working(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"valve": VALVE})
    page, data_id = await listed(slack, app, "valve")
    await slack.press(page, "edit_image", about=data_id)
    await slack.wait_for_view("edit_image_form")
    # They counted eight images a page.
    older = {"action_id": "list_page:previous", "value": '{"database":"parts","offset":0}'}
    await slack.deliver("interactive", pressed(slack, page, older))
    assert "1 image in `parts`" in (await slack.wait_for_edit(page)).text
