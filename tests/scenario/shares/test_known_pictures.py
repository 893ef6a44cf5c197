"""Pictures that a database has already: another reaction, and their author alone learns as what they are known."""

from __future__ import annotations

import asyncio

import pytest

from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fixtures.pictures import encoded, photo
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import INSIDER, OUTSIDER, reveals_nothing, start_with_private_image
from tests.scenario.support.requests import GASKET, VALVE, action_ids, press, press_as
from tests.scenario.support.shares import ORIGINAL, entities, images_in, settled, watch

DONE, KNOWN, FAILED = "white_check_mark", "repeat", "warning"
LONG = "4711-" * 13


def told(slack: FakeSlack, user: str = SOMEONE) -> list[Message]:
    """Return what one person was told alone."""
    return [message for message in slack.transcript if message.to == user]


async def test_message_with_new_known_and_broken_pictures_gets_a_reaction_for_each(
    slack: FakeSlack, start: Start
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.COLLECT, "parts")
    files = [
        slack.host(VALVE, "again.png"),
        slack.host(GASKET, "pump.png"),
        slack.host(VALVE, "twice.png"),
        slack.host(VALVE[:99], "broken.png"),
    ]
    shared = await slack.upload(*files)
    await settled(slack, app)
    assert slack.reactions(shared) == [DONE, KNOWN, FAILED]
    problems, known = told(slack)
    assert "`broken.png`" in problems.everything
    for part in ("already in `parts` as `valve_0042`", "10/10", "same image", "About valve_0042"):
        assert part in known.everything
    assert known.everything.count("About valve_0042") == 1
    assert await entities(app) == ["valve_0042", "pump"]


async def test_many_known_pictures_are_one_short_message(slack: FakeSlack, start: Start) -> None:
    app = await start()
    pictures = {f"part_{number}": encoded(photo(96, 96, seed=40 + number), "PNG") for number in range(7)}
    await fill(app, "parts", **pictures)
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(*(slack.host(content, f"{name}.png") for name, content in pictures.items()))
    await settled(slack, app)
    assert slack.reactions(shared) == [KNOWN]
    [known] = told(slack)
    assert "7 of your images are already in `parts`." in known.everything
    assert [name for name in pictures if f"as `{name}`" in known.everything] == list(pictures)[:5]
    assert "and 2 more" in known.everything


async def test_known_picture_links_to_its_first_message(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    first = await slack.upload(slack.host(VALVE, "valve.png"), user="U0FIRST")
    await settled(slack, app)
    await slack.upload(slack.host(VALVE, "again.png"), text="id:pump")
    await settled(slack, app)
    [known] = told(slack)
    assert "as `valve`, not as `pump`" in known.everything
    assert "by <@U0FIRST>" in known.everything
    assert f"p{first.ts.replace('.', '')}|original message" in known.everything
    # Whoever may not change the image learns so.
    assert action_ids(known) == ["edit_image"]
    assert "Only whoever added" in (await press(slack, known, "edit_image")).text


async def test_picture_from_a_hidden_channel_looks_new_to_others(slack: FakeSlack, start: Start) -> None:
    app = await start_with_private_image(slack, start, "private")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(ORIGINAL, "chair.png"), user=OUTSIDER, text="id:chair")
    await settled(slack, app)
    assert (slack.reactions(shared), told(slack, OUTSIDER)) == ([DONE], [])
    # It is a share of the outsider's now, which everybody may know of.
    again = await slack.upload(slack.host(ORIGINAL, "stool.png"), user=OUTSIDER)
    await settled(slack, app)
    assert slack.reactions(again) == [KNOWN]
    [known] = told(slack, OUTSIDER)
    assert "as `chair`" in known.everything
    assert reveals_nothing(known)


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_author_learns_what_the_channel_may_not_see(slack: FakeSlack, start: Start, mode: ChannelMode) -> None:
    app = await start_with_private_image(slack, start, "private")
    await watch(app, mode, "parts")
    shared = await slack.upload(slack.host(ORIGINAL, "chair.png"), user=INSIDER)
    await settled(slack, app)
    assert slack.reactions(shared) == ([DONE] if mode is ChannelMode.COLLECT else [])
    [known] = told(slack, INSIDER)
    assert "as `secret_plan`" in known.everything
    assert (known.via, known.channel) == ("chat.postEphemeral", GENERAL)


async def test_refused_id_of_a_caption_can_be_replaced_by_a_button(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(
        slack.host(VALVE, "one.png"), slack.host(GASKET, "two.png"), text=f"id:{LONG} from the yard"
    )
    await settled(slack, app)
    assert slack.reactions(shared) == [DONE]
    [refused] = told(slack)
    assert "up to 64 characters" in refused.text
    assert "under their files' names" in refused.text
    assert await entities(app) == ["one", "two"]
    # The button works when the channel isn't watched any more.
    await watch(app, ChannelMode.OFF, "parts")
    # Slack may deliver two presses.
    await asyncio.gather(slack.press(refused, "add_as"), slack.press(refused, "add_as"))
    await settled(slack, app)
    [entity] = set(await entities(app))
    assert entity.startswith("4711-4711-")
    assert [record.named_automatically for record in await images_in(app)] == [False, False]
    current = slack.current(refused)
    assert current is not None
    assert f"`{entity}`" in current.everything


async def test_others_may_not_replace_the_id_of_a_shared_picture(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    await slack.upload(slack.host(VALVE, "one.png"), text=f"id:{LONG}")
    await settled(slack, app)
    [refused] = told(slack)
    press_as(slack, monkeypatch, "U0OTHER")
    await slack.press(refused, "add_as")
    await slack.wait_for(lambda message: "Only whoever added" in message.text)
    assert await entities(app) == ["one"]


async def test_file_that_was_deleted_meanwhile_is_explained(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    shared = await slack.upload(slack.host(VALVE, "one.png"), text=f"id:{LONG}")
    await settled(slack, app)
    [refused] = told(slack)
    await (await slack.delete_file(shared.files[0]))
    await settled(slack, app)
    answer = await press(slack, refused, "add_as")
    assert "I can't" in answer.text
    assert "that file" in answer.text
    assert await entities(app) == []


async def test_known_picture_with_a_refused_id_keeps_its_id(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await watch(app, ChannelMode.COLLECT, "parts")
    await slack.upload(slack.host(VALVE, "one.png"), text=f"id:{LONG}")
    await settled(slack, app)
    [known] = told(slack)
    assert "as `valve_0042`" in known.everything
