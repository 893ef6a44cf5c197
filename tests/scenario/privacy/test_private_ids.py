"""Ids that were given in a closed conversation are shown only to its members."""

from __future__ import annotations

from bot.domain.channels import ChannelMode
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start
from tests.scenario.privacy.private_images import (
    ADMIN,
    INSIDER,
    OUTSIDER,
    last,
    listed,
    reveals_nothing,
    start_with_private_image,
    thread,
)
from tests.scenario.support.requests import run_command
from tests.scenario.support.shares import ORIGINAL, images_in, settled, watch


async def test_id_from_a_private_channel_is_hidden_when_the_picture_is_shared_in_public(
    slack: FakeSlack, start: Start
) -> None:
    app = await start_with_private_image(slack, start, "private")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(ORIGINAL, "chair.png"), text="ours")
    await slack.wait_for_reaction(shared)
    await watch(app, ChannelMode.LOOKUP, "parts")
    for ask in (last, listed, thread):
        answer = await ask(slack, OUTSIDER)
        assert reveals_nothing(answer)
        assert "`chair`" in answer.everything
    # Nor can it be found out.
    assert "chair" not in (await run_command(slack, "list in:parts prefix:secret", user=OUTSIDER)).everything
    assert "`chair`" in (await run_command(slack, "list in:parts prefix:ch", user=OUTSIDER)).everything
    for guess in ("secret_plan", "secret_plam"):
        refused = await run_command(slack, f"delete {guess} in:parts", user=OUTSIDER)
        assert "has no image" in refused.text
        assert "Did you mean" not in refused.text
    assert "Did you mean “chair”" in (await run_command(slack, "delete chiar in:parts", user=OUTSIDER)).text
    assert "Only whoever added" in (await run_command(slack, "delete chair in:parts", user=OUTSIDER)).text
    assert "`secret_plan`" in (await listed(slack, INSIDER)).everything
    # What somebody sees under an id is deleted under it.
    slack.add_person(ADMIN, is_admin=True)
    question = await run_command(slack, "delete chair in:parts", user=ADMIN)
    await slack.press(question, "delete_entity", user=ADMIN)
    await slack.wait_for(lambda message: "Deleted 1 image of `chair`" in message.text)
    await settled(slack, app)
    assert [record.entity for record in await images_in(app)] == ["sofa"]


async def test_id_that_was_given_in_public_is_corrected_alone(slack: FakeSlack, start: Start) -> None:
    app = await start_with_private_image(slack, start, "private")
    await watch(app, ChannelMode.COLLECT, "parts")
    await slack.wait_for_reaction(await slack.upload(slack.host(ORIGINAL, "chair.png"), user=OUTSIDER))
    slack.add_person(ADMIN, is_admin=True)
    assert "has no image" in (await run_command(slack, "rename Secret_Plan to x in:parts", user=ADMIN)).text
    renamed = await run_command(slack, "rename CHAIR to “Chair 7” in:parts", user=ADMIN)
    assert renamed.text == "Renamed `chair` to `Chair 7` in `parts`: 1 image."
    for person, entity in ((OUTSIDER, "Chair 7"), (INSIDER, "secret_plan")):
        assert f"`{entity}`" in (await listed(slack, person)).everything
    [_, image] = await images_in(app)
    assert image.entity == "secret_plan"
    # Where an id is corrected, its images are deleted too.
    page = await run_command(slack, "list in:parts prefix:chair", user=ADMIN)
    await slack.press(page, "edit_image", user=ADMIN, about=image.data_id)
    form = await slack.wait_for_view("edit_image_form", user=ADMIN)
    assert "secret_plan" not in form.everything
    await slack.press_in_view(form, "delete_image")
    await slack.wait_for(lambda message: "Deleted one image of `Chair 7`" in message.everything)
    await settled(slack, app)
    assert [record.entity for record in await images_in(app)] == ["sofa"]
