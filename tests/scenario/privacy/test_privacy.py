"""Images from closed conversations are shown only to their members, whichever way somebody asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.blocks.messages.fallback import slack_files
from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.values import ConversationKind
from tests.scenario.conftest import Start, fill
from tests.scenario.privacy.private_images import (
    ALONE,
    INSIDER,
    OUTSIDER,
    PLACES,
    SECRETS,
    THERE,
    last,
    reveals_nothing,
    start_with_private_image,
    thread,
)
from tests.scenario.support.requests import press, run_command
from tests.scenario.support.shares import NEW, ORIGINAL, OTHER, images_in, reply, running, watch


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("look", ALONE)
async def test_private_answers_show_images_only_to_channel_members(
    slack: FakeSlack, start: Start, kind: ConversationKind, look: Callable[[FakeSlack, str], Awaitable[Message]]
) -> None:
    await start_with_private_image(slack, start, kind)
    insider = await look(slack, INSIDER)
    assert insider.to == INSIDER
    assert "`secret_plan`" in insider.everything
    assert "tell nobody" in insider.everything
    outsider = await look(slack, OUTSIDER)
    assert outsider.to == OUTSIDER
    assert reveals_nothing(outsider)
    assert "`sofa`" in outsider.everything


@pytest.mark.parametrize("kind", PLACES)
async def test_public_answer_shows_the_image_only_in_its_own_channel(
    slack: FakeSlack, start: Start, kind: ConversationKind
) -> None:
    await start_with_private_image(slack, start, kind)
    answer = await thread(slack, INSIDER)
    assert reveals_nothing(answer)
    assert "`sofa`" in answer.everything
    there = await reply(slack, await slack.upload(ORIGINAL, channel=THERE, user=INSIDER))
    assert "`secret_plan`" in there.everything


@pytest.mark.parametrize("kind", PLACES)
async def test_more_shows_each_person_what_they_may_see(slack: FakeSlack, start: Start, kind: ConversationKind) -> None:
    app = await start_with_private_image(slack, start, kind)
    await watch(app, ChannelMode.COLLECT, "parts", channel=GENERAL)
    await slack.wait_for_reaction(await slack.upload(slack.host(NEW, "lamp.png")))
    answer = await reply(slack, await slack.upload(ORIGINAL, mention=True, text="top:1 min:0"))
    assert reveals_nothing(answer)
    assert "of 2 matches" in answer.everything
    outside = await press(slack, answer, "results_more", user=OUTSIDER)
    assert reveals_nothing(outside)
    assert "Match 2 of 2" in outside.everything
    inside = await press(slack, answer, "results_more", user=INSIDER)
    assert "Match 2 of 3" in inside.everything
    await slack.press(inside, "results_more:previous", user=INSIDER)
    assert "`secret_plan`" in (await slack.wait_for_edit(inside)).everything


@pytest.mark.parametrize("kind", PLACES)
async def test_answer_shared_with_a_channel_leaves_out_hidden_images(
    slack: FakeSlack, start: Start, kind: ConversationKind
) -> None:
    await start_with_private_image(slack, start, kind)
    mine = await last(slack, INSIDER)
    assert "`secret_plan`" in mine.everything
    await slack.press(mine, "results_share", user=INSIDER)
    public = await slack.wait_for(lambda message: "Shared by" in message.everything)
    assert public.to == ""
    # The person who shared is named. The image's origin is not.
    assert not any(secret in f"{public.everything} {public.blocks}" for secret in SECRETS[:3])
    assert "`sofa`" in public.everything


@pytest.mark.parametrize("kind", PLACES)
async def test_adding_a_hidden_duplicate_reports_it_without_its_entity(
    slack: FakeSlack, start: Start, kind: ConversationKind
) -> None:
    app = await start_with_private_image(slack, start, kind)
    await slack.upload(ORIGINAL, user=OUTSIDER)
    notice = await run_command(slack, "add last in:parts id:mine", user=OUTSIDER)
    assert notice.everything == "This image is already in `parts`.\nThis image is already in `parts`."
    notice = await run_command(slack, "add last in:parts id:mine", user=INSIDER)
    assert "already in `parts` as `secret_plan`" in notice.everything
    assert len(await images_in(app)) == 2


@pytest.mark.parametrize("kind", PLACES)
async def test_database_that_hints_shows_only_the_number_of_hidden_images(
    slack: FakeSlack, start: Start, kind: ConversationKind
) -> None:
    await start_with_private_image(slack, start, kind, hints=True)
    answer = await thread(slack, OUTSIDER)
    assert "1 more match is from a conversation that not everyone here can see." in answer.everything
    assert reveals_nothing(answer)
    alone = await last(slack, OUTSIDER)
    assert "1 more match is from a conversation that you can't see." in alone.everything
    assert reveals_nothing(alone)


async def test_database_without_hints_shows_nothing(slack: FakeSlack, start: Start) -> None:
    await start_with_private_image(slack, start, "private")
    for answer in (await thread(slack, OUTSIDER), await last(slack, OUTSIDER)):
        assert "from a conversation" not in answer.everything
        assert "weaker" not in answer.everything
        assert " is* in" in answer.everything


async def test_hidden_entities_cannot_be_guessed(slack: FakeSlack, start: Start) -> None:
    await start_with_private_image(slack, start, "private")
    assert "secret_plan" not in (await run_command(slack, "list in:parts prefix:sec", user=OUTSIDER)).everything
    there_or_not = [
        await run_command(slack, f"delete {name} in:parts", user=OUTSIDER) for name in ("secret_plan", "nothing")
    ]
    said = [answer.text.replace("secret_plan", "…").replace("nothing", "…") for answer in there_or_not]
    assert said[0] == said[1]


async def test_images_of_a_channel_that_becomes_private_are_hidden(slack: FakeSlack, tmp_path: Path) -> None:
    channel = slack.add_channel(THERE, "plans", members=[INSIDER])
    async with running(slack, tmp_path) as app:
        await fill(app, "parts", sofa=OTHER)
        await watch(app, ChannelMode.COLLECT, "parts", channel=THERE)
        shared = await slack.upload(
            slack.host(ORIGINAL, "secret_plan.png"), channel=THERE, user=INSIDER, text="tell nobody"
        )
        await slack.wait_for_reaction(shared)
    channel.kind, channel.private = "private", True
    # A running bot asks Slack again after a few minutes. A new bot has nothing cached.
    async with running(slack, tmp_path):
        assert reveals_nothing(await thread(slack, OUTSIDER))
        assert reveals_nothing(await last(slack, OUTSIDER))
        assert "`secret_plan`" in (await last(slack, INSIDER)).everything
    channel.bot_is_member = False
    async with running(slack, tmp_path):
        assert reveals_nothing(await last(slack, INSIDER))


async def test_images_of_a_private_channel_that_becomes_public_are_shown(slack: FakeSlack, tmp_path: Path) -> None:
    channel = slack.add_channel(THERE, "plans", kind="private", members=[INSIDER])
    async with running(slack, tmp_path) as app:
        await fill(app, "parts", sofa=OTHER)
        await watch(app, ChannelMode.COLLECT, "parts", channel=THERE)
        await slack.wait_for_reaction(
            await slack.upload(slack.host(ORIGINAL, "secret_plan.png"), channel=THERE, user=INSIDER)
        )
    channel.kind, channel.private = "public", False
    async with running(slack, tmp_path):
        assert "`secret_plan`" in (await thread(slack, OUTSIDER)).everything


async def test_former_members_do_not_see_channel_images(slack: FakeSlack, start: Start) -> None:
    await start_with_private_image(slack, start, "private")
    slack.state.channels[THERE].members.remove(INSIDER)
    answer = await last(slack, INSIDER)
    assert not any(secret in f"{answer.everything} {answer.blocks}" for secret in SECRETS[:3])


@pytest.mark.parametrize("missing", ["conversations.info", "conversations.members"])
async def test_images_are_hidden_when_membership_is_unknown(slack: FakeSlack, start: Start, missing: str) -> None:
    await start_with_private_image(slack, start, "private")
    slack.refuse_next(missing, "unknown_method", times=50)
    for answer in (await thread(slack, OUTSIDER), await last(slack, OUTSIDER)):
        assert reveals_nothing(answer)
        assert "`sofa`" in answer.everything


async def test_private_images_show_their_pictures_in_private(slack: FakeSlack, start: Start) -> None:
    app = await start_with_private_image(slack, start, "private")
    [_, secret] = await images_in(app)
    assert secret.origin is not None
    alone = await last(slack, INSIDER)
    shown = slack_files(alone.blocks)
    # The bot shows Slack's own file only where it was shared.
    assert secret.origin.file_id not in shown
    assert len(shown) == 2
    there = await reply(slack, await slack.upload(ORIGINAL, channel=THERE, user=INSIDER))
    assert secret.origin.file_id in str(there.blocks)
    assert SOMEONE not in str(there.blocks)
    assert GENERAL not in str(there.blocks)
