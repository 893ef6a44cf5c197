"""Images from closed conversations are shown only to their members, whichever way somebody asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.identifiers import DatabaseName
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.values import ConversationKind
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import key_of, press, run_command
from tests.scenario.support.shares import NEW, ORIGINAL, OTHER, images_in, reply, running, settled, watch

THERE = "C0THERE"
INSIDER, OUTSIDER, ADMIN = "U0INSIDER", "U0OUTSIDER", "U0ADMIN"
PLACES: list[ConversationKind] = ["private", "mpim", "im", "shared"]
SECRETS = ("secret_plan", "tell nobody", THERE, INSIDER)


async def start_with_private_image(
    slack: FakeSlack, start: Start, kind: ConversationKind, *, hints: bool = False
) -> SlackApp:
    """Start with a database that has one public image and one from a closed conversation."""
    app = await start()
    await fill(app, "parts", sofa=OTHER)
    await app.services.storage.catalogue.set_hints(key_of(app, DatabaseName("parts")), hints_at_hidden=hints)
    slack.add_channel(THERE, "secrets", kind=kind, members=[INSIDER])
    if kind == "im":
        # Images in direct messages are never collected. The sender adds this one by the button.
        shared = await slack.upload(slack.host(ORIGINAL, "x.png"), channel=THERE, user=INSIDER, text="min:0")
        await slack.press(await reply(slack, shared), "results_add_this", user=INSIDER)
        form = await slack.wait_for_view("add_form", user=INSIDER)
        await slack.submit(form, {"database": "parts", "entity": "secret_plan", "note": "tell nobody"})
        await slack.wait_for(lambda message: "Added" in message.text)
    else:
        await watch(app, ChannelMode.COLLECT, "parts", channel=THERE)
        shared = await slack.upload(
            slack.host(ORIGINAL, "secret_plan.png"), channel=THERE, user=INSIDER, text="tell nobody"
        )
        await slack.wait_for_reaction(shared)
        await watch(app, ChannelMode.LOOKUP, "parts", channel=THERE)
    await settled(slack, app)
    assert [record.entity for record in await images_in(app)] == ["sofa", "secret_plan"]
    return app


def reveals_nothing(message: Message) -> bool:
    """Return whether a message contains nothing from the closed conversation, including its pictures."""
    return not any(secret in f"{message.everything} {message.blocks}" for secret in SECRETS)


async def thread(slack: FakeSlack, user: str) -> Message:
    """Share the same picture in a public channel, and return the answer."""
    return await reply(slack, await slack.upload(ORIGINAL, user=user, text="min:0"))


async def last(slack: FakeSlack, user: str) -> Message:
    await slack.upload(ORIGINAL, user=user, text="min:0")
    return await run_command(slack, "search last min:0", user=user)


async def shortcut(slack: FakeSlack, user: str) -> Message:
    shared = await slack.upload(ORIGINAL, user=user)
    before = len(slack.transcript)
    await slack.shortcut_message("find_similar", shared, user=user)
    return await slack.wait_for_answer(to=user, after=before)


async def listed(slack: FakeSlack, user: str) -> Message:
    return await run_command(slack, "list in:parts", user=user)


ALONE = [last, shortcut, listed]


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
        assert "*Best match* in" in answer.everything


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
    shown = [block["accessory"]["slack_file"]["id"] for block in alone.blocks if "accessory" in block]
    # The bot shows Slack's own file only where it was shared.
    assert secret.origin.file_id not in shown
    assert len(shown) == 2
    there = await reply(slack, await slack.upload(ORIGINAL, channel=THERE, user=INSIDER))
    assert secret.origin.file_id in str(there.blocks)
    assert SOMEONE not in str(there.blocks)
    assert GENERAL not in str(there.blocks)


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
    await slack.wait_until(lambda: "Added" in form.everything)
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
    await slack.wait_until(lambda: "deleted" in form.everything)
    assert [record.entity for record in await images_in(app)] == ["sofa"]


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
