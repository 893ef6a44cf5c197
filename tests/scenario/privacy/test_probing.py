"""Guessing reveals nothing that is hidden: no ids by their first letters, and no databases by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.channels import ChannelMode
from tests.fakes.slack import FakeSlack, Message
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import scene
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import INSIDER, OUTSIDER, THERE, start_with_private_image
from tests.scenario.privacy.test_guests import GUEST, HERE, start_with_guest
from tests.scenario.support.requests import run_command
from tests.scenario.support.shares import ORIGINAL, OTHER, entities, reply, running, settled, watch


def said(message: Message, *guesses: str) -> str:
    """Return what a message says, without the words that its reader guessed."""
    text = message.everything
    for guess in sorted(guesses, key=len, reverse=True):
        text = text.replace(guess, "…")
    return text


async def test_listing_by_prefix_does_not_count_hidden_ids(slack: FakeSlack, start: Start) -> None:
    await start_with_private_image(slack, start, "private", hints=True)
    right, wrong = [
        await run_command(slack, f"list in:parts prefix:{guess}", user=OUTSIDER) for guess in ("sec", "sex")
    ]
    assert said(right, "sec") == said(wrong, "sex")
    assert "secret_plan" in (await run_command(slack, "list in:parts prefix:sec", user=INSIDER)).everything
    # A hidden id starts with these letters.
    assert "No images" not in right.everything
    assert "2 images" in (await run_command(slack, "list in:parts", user=OUTSIDER)).everything


async def test_listing_does_not_count_images_of_a_channel_that_became_private(slack: FakeSlack, tmp_path: Path) -> None:
    channel = slack.add_channel(THERE, "plans", members=[INSIDER])
    async with running(slack, tmp_path) as app:
        await fill(app, "parts", sofa=OTHER)
        await watch(app, ChannelMode.COLLECT, "parts", channel=THERE)
        await slack.wait_for_reaction(
            await slack.upload(slack.host(ORIGINAL, "secret_plan.png"), channel=THERE, user=INSIDER)
        )
    channel.kind, channel.private = "private", True
    async with running(slack, tmp_path):
        right, wrong = [
            await run_command(slack, f"list in:parts prefix:{guess}", user=OUTSIDER) for guess in ("sec", "sex")
        ]
        assert said(right, "sec") == said(wrong, "sex")
        assert "2 images" not in (await run_command(slack, "list in:parts", user=OUTSIDER)).everything
        assert "secret_plan" in (await run_command(slack, "list in:parts prefix:sec", user=INSIDER)).everything


async def test_hidden_near_misses_do_not_crowd_out_visible_ones(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.add_channel(THERE, "secrets", kind="private", members=[INSIDER])
    await fill(app, "parts", valve_0042_abc=OTHER)
    await watch(app, ChannelMode.COLLECT, "parts", channel=THERE)
    for number in range(6):
        shared = await slack.upload(
            slack.host(encoded(scene(20 + number), "PNG"), f"valve_004{number}_xy.png"), channel=THERE, user=INSIDER
        )
        await slack.wait_for_reaction(shared)
    answer = await run_command(slack, "delete valve_0042_xy7 in:parts", user=OUTSIDER)
    assert "valve_0042_abc" in answer.everything


@pytest.mark.parametrize("mode", [ChannelMode.LOOKUP, ChannelMode.COLLECT])
async def test_captions_do_not_reveal_to_a_guest_which_databases_exist(
    slack: FakeSlack, start: Start, mode: ChannelMode
) -> None:
    app = await start_with_guest(slack, start)
    await watch(app, mode, "parts", channel=HERE)
    before = len(slack.transcript)
    answers = []
    for name, content in (("secret_stock", ORIGINAL), ("secret_stuff", OTHER)):
        shared = await slack.upload(slack.host(content, "x.png"), user=GUEST, channel=HERE, text=f"in:{name} min:0")
        if mode is ChannelMode.COLLECT:
            assert await slack.wait_for_reaction(shared) == "white_check_mark"
        else:
            answers.append(said(await reply(slack, shared), name))
    await settled(slack, app)
    assert not [message for message in slack.transcript[before:] if message.to]
    assert await entities(app, "secret_stock") == []
