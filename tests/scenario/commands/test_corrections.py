"""Rename ids, correct notes, move and delete single images: by commands, buttons and the form."""

from __future__ import annotations

from bot.domain.identifiers import EntityId
from tests.fakes.slack import SOMEONE, FakeSlack
from tests.scenario.commands.test_images import OTHER, collect_in_private_channel
from tests.scenario.conftest import Start, fill_as
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, idle, images_of, key_of, run_command


async def test_entity_is_renamed_and_found_under_its_new_id(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"IMG_1": VALVE})
    answer = await run_command(slack, "rename img_1 to VLV-0042/A <b>".replace("<", "&lt;").replace(">", "&gt;"))
    assert answer.text == "Renamed `IMG_1` to `VLV-0042/A &lt;b&gt;` in `parts`: 1 image."
    [record] = await images_of(app, "parts", "vlv-0042/a <B>")
    assert record.entity == "VLV-0042/A <b>"
    page = await run_command(slack, "list prefix:vlv")
    assert "`VLV-0042/A &lt;b&gt;`" in page.everything
    gone = await run_command(slack, "rename img_1 to x")
    assert "no image with the id" in gone.everything


async def test_rename_onto_another_id_asks_first(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"IMG_1": VALVE, "Valve 42": GASKET})
    question = await run_command(slack, "rename IMG_1 to “valve 42”")
    assert "`Valve 42` has 1 image in `parts` already. Merge the image of `IMG_1` into it?" in question.text
    assert len(await images_of(app, "parts", "Valve 42")) == 1
    await slack.press(question, "merge_entities")
    done = await slack.wait_for_edit(question)
    assert "Renamed `IMG_1` to `Valve 42`" in done.everything
    assert [record.entity for record in await images_of(app, "parts", "VALVE 42")] == ["Valve 42", "Valve 42"]


async def test_question_tells_nothing_of_images_that_the_person_cannot_see(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"IMG_1": VALVE})
    await collect_in_private_channel(slack, app, UNRELATED, "secret_7")
    answer = await run_command(slack, "rename IMG_1 to Secret_7")
    assert answer.text == "Renamed `IMG_1` to `Secret_7` in `parts`: 1 image."
    unknown = await run_command(slack, 'note other_8 "x"')
    for command in ("rename secret_7 to a", "note secret_7 “mine now”"):
        # SOMEONE sees the image that they renamed, and never the private one.
        await run_command(slack, command)
    private = await images_of(app, "parts", "secret_7")
    assert [(record.added_by, str(record.note)) for record in private] == [(OTHER, "")]
    assert "no image with the id" in unknown.everything


async def test_note_is_replaced_for_those_who_may(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"Valve 42": VALVE})
    refused = await run_command(slack, 'note "Valve 42" "mine"', user=OTHER)
    assert "can change them" in refused.everything
    answer = await run_command(slack, "note valve 42 “DN 25, brass”")
    assert answer.text == "Saved the note of 1 image of `Valve 42` in `parts`."
    [record] = await images_of(app, "parts", "Valve 42")
    assert record.note == "DN 25, brass"


async def test_one_image_of_several_is_moved_and_deleted_from_its_form(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill_as(SOMEONE, app, "parts", {"Valve 42": VALVE})
    services, key = app.services, key_of(app, "parts")
    for content in (GASKET, UNRELATED):
        picture = await services.normaliser.picture(content)
        jpeg = await services.normaliser.jpeg(picture)
        await services.additions.add(
            key,
            picture,
            jpeg,
            EntityId("valve 42"),
            (await images_of(app, "parts", "Valve 42"))[0].note,
            added_by=SOMEONE,
        )
    page = await run_command(slack, "list")
    first, second, third = await images_of(app, "parts", "VALVE 42")
    await slack.press(page, "edit_image", about=first.data_id)
    form = await slack.wait_for_view("edit_image_form")
    assert any(block["type"] == "image" for block in form.blocks)
    await slack.submit(form, {"entity": "Pump 7", "note": "moved"})
    await slack.wait_for(lambda message: "Renamed `Valve 42` to `Pump 7`" in message.everything)
    [moved] = await images_of(app, "parts", "pump 7")
    assert (moved.data_id, moved.note) == (first.data_id, "moved")
    await slack.press(page, "edit_image", about=second.data_id)
    form = await slack.wait_for_view("edit_image_form")
    await slack.press_in_view(form, "delete_image")
    await slack.wait_for(lambda message: "Deleted one image of `Valve 42`" in message.everything)
    await idle(app)
    assert [record.data_id for record in await images_of(app, "parts", "Valve 42")] == [third.data_id]
