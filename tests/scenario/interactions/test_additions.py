"""Adding pictures: ids that can't be used, and edited copies of what is there."""

from __future__ import annotations

import asyncio

import pytest

from bot.blocks.wording.errors import STALE_BUTTON
from bot.blocks.wording.images import OTHERS_PICTURE
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message, View
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.privacy.private_images import INSIDER, OUTSIDER, reveals_nothing, start_with_private_image
from tests.scenario.support.requests import (
    GASKET,
    VALVE,
    action_ids,
    images_of,
    key_of,
    press,
    press_as,
    run_command,
    submit_form,
)
from tests.scenario.support.shares import NEW, ORIGINAL, OTHER, edited_copy, entities, reply, settled

LONG = "4711-" * 13
DIRECT = "D0SOMEONE"
PIECES = ("valve", "pump", "hinge")


async def add_form(slack: FakeSlack, *pictures: bytes, user: str = SOMEONE) -> View:
    """Open the form that adds pictures by the shortcut."""
    files = [slack.host(content, f"{PIECES[number]}.png") for number, content in enumerate(pictures)]
    shared = await slack.upload(*files, user=user)
    await slack.shortcut_message("add_to_database", shared, user=user)
    return await slack.wait_for_view("add_form", user=user)


def now(slack: FakeSlack, message: Message) -> str:
    """Return what a message says now."""
    current = slack.current(message)
    assert current is not None
    return current.everything


async def test_suggested_id_is_for_the_picture_that_was_last_then(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await slack.upload(slack.host(VALVE, "valve.png"))
    refused = await run_command(slack, f'add last in:parts id:{LONG} note:"Ball valve"')
    assert "This one has 65" in refused.text
    assert action_ids(refused) == ["add_as"]
    await slack.upload(slack.host(GASKET, "gasket.png"))
    await settled(slack, app)
    presses = [slack.press(refused, "add_as") for _ in range(2)]
    await asyncio.gather(*presses)
    await settled(slack, app)
    [entity] = await entities(app)
    [record] = await images_of(app, "parts", entity)
    assert entity.startswith("4711-4711")
    assert (record.note, record.source_name, record.named_automatically) == ("Ball valve", "valve.png", False)
    assert f"`{entity}`" in now(slack, refused)


async def test_suggested_id_for_an_address(slack: FakeSlack, start: Start, pictures: PictureServer) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts")
    address = pictures.url("v.png", VALVE)
    refused = await run_command(slack, f'add {address} in:parts id:"Valve\u202e 42"')
    await slack.press(refused, "add_as")
    await slack.wait_for(lambda message: "as `Valve 42`" in message.everything)
    assert await entities(app) == ["Valve 42"]


@pytest.mark.parametrize("place", ["mention", "direct"])
async def test_question_with_a_refused_id_has_a_button_that_adds_its_picture(
    slack: FakeSlack, start: Start, place: str
) -> None:
    app = await start()
    await fill(app, "parts")
    slack.add_channel(DIRECT, "", kind="im")
    channel = DIRECT if place == "direct" else GENERAL
    shared = await slack.upload(
        slack.host(VALVE, "valve.png"), channel=channel, text=f'id:{LONG} note:"spare"', mention=place == "mention"
    )
    await settled(slack, app)
    [refused] = [message for message in slack.transcript if message.user == slack.state.bot_user]
    await slack.press(refused, "add_as")
    await slack.wait_for(lambda message: "Added the image" in message.text)
    [entity] = await entities(app)
    [record] = await images_of(app, "parts", entity)
    assert record.note == "spare"
    assert record.origin is not None
    assert (record.origin.channel, record.origin.message_ts) == (channel, shared.ts)
    # If its message goes, so does it, and the button says one sentence.
    await (await slack.delete_file(shared.files[0]))
    await settled(slack, app)
    assert await entities(app) == []


async def test_button_opens_the_form_if_the_database_is_unclear(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    await slack.upload(slack.host(VALVE, "valve.png"), text=f'id:{LONG} note:"spare"', mention=True)
    refused = await slack.wait_for_answer()
    assert action_ids(refused) == ["open_add"]
    await slack.press(refused, "open_add")
    form = await slack.wait_for_view("add_form")
    assert "4711-4711-" in str(form.body["blocks"])
    await submit_form(slack, form, database="logos")
    [entity] = await entities(app, "logos")
    assert entity.startswith("4711-")
    assert [record.note for record in await images_of(app, "logos", entity)] == ["spare"]


async def test_people_who_cannot_see_the_picture_may_not_add_it(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    slack.add_channel("C0SECRET", "secrets", kind="private", members=[SOMEONE, INSIDER])
    for text, action in ((f"in:parts id:{LONG}", "add_as"), (f"id:{LONG}", "open_add")):
        shared = await slack.upload(slack.host(VALVE, "valve.png"), channel="C0SECRET", text=text, mention=True)
        await settled(slack, app)
        refused = slack.transcript[-1]
        assert (refused.to, refused.ts > shared.ts) == (SOMEONE, True)
        with monkeypatch.context() as patched:
            press_as(slack, patched, OUTSIDER)
            await slack.press(refused, action)
            await settled(slack, app)
        assert slack.transcript[-1].text == OTHERS_PICTURE
    await settled(slack, app)
    assert (await entities(app), await entities(app, "logos")) == ([], [])
    # Whoever reads the channel may add what is there.
    press_as(slack, monkeypatch, INSIDER)
    first = next(message for message in slack.transcript if "add_as" in action_ids(message))
    await slack.press(first, "add_as")
    await slack.wait_for(lambda message: "Added" in message.text)
    assert len(await entities(app)) == 1


async def test_database_that_was_deleted_meanwhile_is_explained(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await slack.upload(slack.host(VALVE, "valve.png"))
    refused = await run_command(slack, f"add last in:parts id:{LONG}")
    await app.services.databases.delete(key_of(app, "parts"))
    assert "There is no database “parts” here." in (await press(slack, refused, "add_as")).text


async def test_edited_copy_is_added_only_if_somebody_says_so(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", chair_7=ORIGINAL)
    question = await submit_form(slack, await add_form(slack, edited_copy()), database="parts", entity="mine")
    assert "Looks like an edited copy of `chair_7` in `parts`. Add it anyway?" in question.everything
    assert "/10" in question.everything
    assert action_ids(question) == ["add_anyway", "add_anyway:same", "dismiss"]
    assert slack.views() == []
    assert await entities(app) == ["chair_7"]
    await asyncio.gather(*(slack.press(question, "add_anyway") for _ in range(2)))
    await settled(slack, app)
    assert await entities(app) == ["chair_7", "mine"]
    assert "`mine`" in now(slack, question)


async def test_edited_copy_can_be_added_to_its_original(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", chair_7=ORIGINAL)
    await slack.upload(slack.host(edited_copy(), "copy.png"))
    question = await run_command(slack, 'add last in:parts note:"the side"')
    assert "edited copy of `chair_7`" in question.everything
    await slack.press(question, "add_anyway:same")
    await settled(slack, app)
    assert "Added the image to `parts` as `chair_7`." in now(slack, question)
    assert [record.note for record in await images_of(app, "parts", "chair_7")] == ["About chair_7", "the side"]


async def test_cancelled_copy_is_not_added(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", chair_7=ORIGINAL)
    question = await submit_form(slack, await add_form(slack, edited_copy()), database="parts")
    await slack.press(question, "dismiss")
    await slack.wait_for_deletion(question)
    await settled(slack, app)
    assert await entities(app) == ["chair_7"]


async def test_copy_with_the_id_of_its_original_needs_no_question(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", chair_7=ORIGINAL)
    answer = await submit_form(slack, await add_form(slack, edited_copy()), database="parts", entity="CHAIR_7")
    assert "Added" in answer.everything
    assert await entities(app) == ["chair_7", "chair_7"]


async def test_each_copy_of_several_pictures_is_asked_about(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", chair_7=ORIGINAL, lamp=OTHER)
    answer = await submit_form(slack, await add_form(slack, edited_copy(), NEW, edited_copy(2)), database="parts")
    assert "edited copy of `chair_7`" in answer.everything
    assert "edited copy of `lamp`" in answer.everything
    assert action_ids(answer) == ["add_anyway", "add_anyway:same"] * 2
    assert await entities(app) == ["chair_7", "lamp", "pump"]
    await press(slack, answer, "add_anyway:same")
    # The other question stays.
    assert "edited copy of `lamp`" in now(slack, answer)
    assert await entities(app) == ["chair_7", "lamp", "pump", "chair_7"]


async def test_hidden_original_is_not_mentioned(slack: FakeSlack, start: Start) -> None:
    app = await start_with_private_image(slack, start, "private")
    answer = await submit_form(
        slack, await add_form(slack, edited_copy(), user=OUTSIDER), database="parts", entity="mine"
    )
    assert "Added" in answer.everything
    assert reveals_nothing(answer)
    assert await entities(app) == ["sofa", "secret_plan", "mine"]


async def test_forged_copy_button_of_an_old_version_is_explained(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", chair_7=ORIGINAL)
    question = await submit_form(slack, await add_form(slack, edited_copy()), database="parts")
    await slack.press(question, "add_anyway", value='{"nothing":1}')
    # The picture's own message may be answered meanwhile.
    await slack.wait_for(lambda message: message.text == STALE_BUTTON)
    assert await entities(app) == ["chair_7"]


async def test_lookup_channel_button_warns_too(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", chair_7=ORIGINAL)
    answer = await reply(slack, await slack.upload(slack.host(edited_copy(), "copy.png")))
    await slack.press(answer, "results_add_this")
    question = await submit_form(slack, await slack.wait_for_view("add_form"), entity="mine")
    assert "edited copy of `chair_7`" in question.everything
