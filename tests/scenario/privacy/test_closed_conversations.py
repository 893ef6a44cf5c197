"""Images that somebody adds in a closed conversation by a form or a URL are shown only there."""

from __future__ import annotations

import pytest

from tests.fakes.slack import SOMEONE, FakeSlack
from tests.fakes.slack.values import ConversationKind
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.privacy.private_images import (
    INSIDER,
    OUTSIDER,
    PLACES,
    THERE,
    listed,
    reveals_nothing,
    thread,
)
from tests.scenario.support.requests import run_command
from tests.scenario.support.shares import ORIGINAL, OTHER, images_in, settled


@pytest.mark.parametrize("kind", ["private", "shared"])
async def test_image_from_a_form_in_a_closed_conversation_stays_there(
    slack: FakeSlack, start: Start, kind: ConversationKind
) -> None:
    await fill(await start(), "parts", sofa=OTHER)
    slack.add_channel(THERE, "secrets", kind=kind, members=[INSIDER])
    await slack.command("", user=INSIDER, channel=THERE)
    await slack.submit(await slack.wait_for_view("search_form", user=INSIDER), {"files": ORIGINAL})
    await slack.press(await slack.wait_for_answer(to=INSIDER), "results_add_this", user=INSIDER)
    form = await slack.wait_for_view("add_form", user=INSIDER)
    await slack.submit(form, {"database": "parts", "entity": "secret_plan", "note": "tell nobody"})
    await slack.wait_for(lambda message: "Added" in message.text)
    outsider = await listed(slack, OUTSIDER)
    assert reveals_nothing(outsider)
    assert "`sofa`" in outsider.everything
    assert "tell nobody" in (await listed(slack, INSIDER)).everything


@pytest.mark.parametrize("kind", PLACES)
async def test_url_that_is_added_in_a_closed_conversation_stays_there(
    slack: FakeSlack, start: Start, pictures: PictureServer, kind: ConversationKind
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", sofa=OTHER)
    slack.add_channel(THERE, "secrets", kind=kind, members=[INSIDER])
    url = pictures.url("plan.png", ORIGINAL)
    text = f'add {url} in:parts id:secret_plan note:"tell nobody"'
    added = await run_command(slack, text, user=INSIDER, channel=THERE)
    assert added.text.endswith(
        f"Only people in this {'conversation' if kind in {'im', 'mpim'} else 'channel'} can see it."
    )
    outsider = await listed(slack, OUTSIDER)
    assert reveals_nothing(outsider)
    assert "`sofa`" in outsider.everything
    assert reveals_nothing(await thread(slack, OUTSIDER))
    assert "tell nobody" in (await listed(slack, INSIDER)).everything
    assert "tell nobody" in (await run_command(slack, "list in:parts", user=INSIDER, channel=THERE)).everything
    if kind == "private":
        # A URL that was given in public is for everybody, under the id that it was given there.
        assert "Only" not in (await run_command(slack, f"add {url} in:parts", user=SOMEONE)).text
        assert "`plan`" in (await listed(slack, OUTSIDER)).everything


async def test_form_adds_nothing_to_a_conversation_that_was_deleted(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", sofa=OTHER)
    slack.add_channel(THERE, "secrets", kind="private", members=[INSIDER])
    await slack.command("", user=INSIDER, channel=THERE)
    await slack.submit(await slack.wait_for_view("search_form", user=INSIDER), {"files": ORIGINAL})
    await slack.press(await slack.wait_for_answer(to=INSIDER), "results_add_this", user=INSIDER)
    form = await slack.wait_for_view("add_form", user=INSIDER)
    await (await slack.delete_channel(THERE))
    await settled(slack, app)
    await slack.submit(form, {"database": "parts", "entity": "secret_plan"})
    await slack.wait_until(lambda: "deleted" in str(form.errors))
    assert [record.entity for record in await images_in(app)] == ["sofa"]
