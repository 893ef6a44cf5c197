"""Guests see only images of their channels, however they ask, and an answer to guests shows them no more."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from tests.fakes.slack import FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import action_ids, press, run_command, shown_pictures
from tests.scenario.support.shares import NEW, ORIGINAL, OTHER, images_in, reply, settled, watch

HERE, THERE = "C0HERE", "C0THERE"
GUEST, MEMBER = "U0GUEST", "U0MEMBER"
HIDDEN = ("lamp", "sofa", "tell nobody", THERE)
"""What a guest of HERE may not see: a public channel's image and an imported one."""


async def start_with_guest(slack: FakeSlack, start: Start, **environment: str) -> SlackApp:
    """Start with an imported image and one image each from two public channels, one of which has a guest."""
    slack.add_person(GUEST, is_ultra_restricted=True)
    slack.add_person(MEMBER)
    slack.add_channel(HERE, "here", members=[GUEST, MEMBER])
    slack.add_channel(THERE, "there", members=[MEMBER])
    app = await start(**environment)
    await fill(app, "parts", sofa=OTHER)
    await fill(app, "secret_stock")
    for channel, content, name, text in (
        (HERE, NEW, "chair.png", "ours"),
        (THERE, ORIGINAL, "lamp.png", "tell nobody"),
    ):
        await watch(app, ChannelMode.COLLECT, "parts", channel=channel)
        shared = await slack.upload(slack.host(content, name), channel=channel, user=MEMBER, text=text)
        await slack.wait_for_reaction(shared)
        await watch(app, ChannelMode.LOOKUP, "parts", channel=channel)
    await settled(slack, app)
    return app


def hides(message: Message, *words: str) -> bool:
    """Return whether a message has none of the words, its blocks included."""
    return not any(word in f"{message.everything} {message.blocks}" for word in words)


async def last(slack: FakeSlack, user: str, channel: str = HERE) -> Message:
    await slack.upload(ORIGINAL, user=user, channel=channel, text="min:0")
    return await run_command(slack, "search last min:0", user=user, channel=channel)


async def test_guest_is_shown_only_images_of_their_channels(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    for answer in (
        await last(slack, GUEST),
        await run_command(slack, "list in:parts", user=GUEST, channel=HERE),
    ):
        assert hides(answer, *HIDDEN)
        assert "`chair`" in answer.everything
        assert "1 image" in answer.everything
    member = await last(slack, MEMBER)
    assert all(f"`{entity}`" in member.everything for entity in ("lamp", "sofa", "chair"))
    assert "(3 images)" in member.everything


async def test_guest_who_joins_a_channel_sees_its_images(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    slack.state.channels[THERE].members.append(GUEST)
    answer = await last(slack, GUEST)
    assert "`lamp`" in answer.everything
    assert hides(answer, "sofa")


async def test_person_counts_as_a_guest_while_slack_fails(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    slack.refuse_next("users.info", "internal_error", times=50)
    assert hides(await last(slack, "U0NEW"), *HIDDEN)


async def test_guest_sees_imported_images_if_the_operator_wants_it(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start, VSEARCH_GUESTS_SEE="imports")
    answer = await last(slack, GUEST)
    assert "`sofa`" in answer.everything
    assert hides(answer, "lamp", THERE)
    shared = await reply(slack, await slack.upload(ORIGINAL, user=MEMBER, channel=HERE, text="min:0"))
    assert "`sofa`" in shared.everything
    assert hides(shared, "lamp", THERE)


async def test_guest_sees_what_they_added_by_form(slack: FakeSlack, start: Start) -> None:
    app = await start_with_guest(slack, start)
    slack.add_channel("C0OTHER", "other", members=[GUEST])
    await watch(app, ChannelMode.LOOKUP, "parts", channel="C0OTHER")
    await slack.command("", user=GUEST, channel="C0OTHER")
    form = await slack.wait_for_view("search_form", user=GUEST)
    await slack.submit(form, {"files": ORIGINAL, "database": "parts"})
    await slack.press(await slack.wait_for_answer(to=GUEST), "results_add_this", user=GUEST)
    form = await slack.wait_for_view("add_form", user=GUEST)
    await slack.submit(form, {"database": "parts", "entity": "mine"})
    await slack.wait_for(lambda message: "already in `parts`" in message.text)
    listing = await run_command(slack, "list in:parts", user=GUEST, channel="C0OTHER")
    assert f"by <@{GUEST}>" in listing.everything
    assert hides(listing, "sofa", "tell nobody", THERE)


async def test_answer_in_a_channel_with_guests_shows_that_channels_images(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    answer = await reply(slack, await slack.upload(ORIGINAL, user=MEMBER, channel=HERE, text="min:0"))
    assert hides(answer, *HIDDEN)
    assert "`chair`" in answer.everything
    assert "(1 image)" in answer.everything
    elsewhere = await reply(slack, await slack.upload(ORIGINAL, user=MEMBER, channel=THERE, text="min:0"))
    assert all(f"`{entity}`" in elsewhere.everything for entity in ("lamp", "sofa", "chair"))


async def test_pictures_hidden_from_a_guest_are_not_uploaded(slack: FakeSlack, start: Start) -> None:
    app = await start_with_guest(slack, start)
    before = set(slack.state.files)
    await last(slack, GUEST)
    store = app.services.storage.pictures
    hidden = [await store.get(record.digest) for record in await images_in(app) if record.entity != "chair"]
    assert len(hidden) == 2
    assert not any(slack.state.files[file].content in hidden for file in slack.state.files.keys() - before)


async def test_uploads_do_not_reveal_ids_of_other_databases(slack: FakeSlack, start: Start) -> None:
    app = await start_with_guest(slack, start, VSEARCH_GUESTS_SEE="imports")
    await fill(app, "stock_of_others", merger_plan=OTHER)
    await watch(app, ChannelMode.LOOKUP, "stock_of_others", channel=THERE)
    await reply(slack, await slack.upload(OTHER, user=MEMBER, channel=THERE))
    answer = await last(slack, GUEST)
    assert "`sofa`" in answer.everything
    files = [slack.state.files[picture["slack_file"]["id"]] for picture in shown_pictures(answer)]
    assert files
    assert "merger_plan" not in str([(file.name, file.info) for file in files])


async def test_guest_learns_only_the_databases_of_their_channels(slack: FakeSlack, start: Start) -> None:
    app = await start_with_guest(slack, start)
    for text in ("db", "status", "help"):
        assert hides(await run_command(slack, text, user=GUEST, channel=HERE), "secret_stock")
    assert "`parts`  ·  1 image" in (await run_command(slack, "db", user=GUEST, channel=HERE)).everything
    member = await run_command(slack, "db", user=MEMBER, channel=HERE)
    assert "`secret_stock`" in member.everything
    assert "`parts`  ·  3 images" in member.everything
    for text in ("list in:secret_stock", "list in:secret_stok", "search last in:secret_stock", "watch in:secret_stock"):
        await slack.upload(ORIGINAL, user=GUEST, channel=HERE, text="min:0")
        answer = await run_command(slack, text, user=GUEST, channel=HERE)
        assert "There is no database" in answer.everything
        assert "Did you mean" not in answer.everything
    await slack.open_home(GUEST)
    await slack.wait_until(lambda: GUEST in slack.state.homes)
    home = slack.state.homes[GUEST].everything
    assert "`parts`" in home
    assert "secret_stock" not in home
    assert THERE not in home
    await slack.command("", user=GUEST, channel=HERE)
    form = await slack.wait_for_view("search_form", user=GUEST)
    assert "secret_stock" not in str(form.body)
    await settled(slack, app)


async def test_guest_cannot_name_another_database_in_a_caption(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    shared = await slack.upload(ORIGINAL, user=GUEST, channel=HERE, text="in:secret_stock min:0")
    # It is a caption like any other, and the channel's database is searched.
    answer = await reply(slack, shared)
    assert "in `parts` (1 image)" in answer.everything
    assert hides(answer, *HIDDEN, "secret_stock")
    asked = await slack.upload(ORIGINAL, user=GUEST, channel=HERE, text="in:secret_stock", mention=True)
    assert "There is no database" in (await slack.wait_for_answer(to=GUEST)).everything
    assert slack.replies(asked.ts) == []


async def test_workspace_without_guests_works_as_before(slack: FakeSlack, start: Start) -> None:
    slack.add_person(MEMBER)
    slack.add_channel(HERE, "here", members=[MEMBER])
    app = await start()
    await fill(app, "parts", sofa=OTHER)
    for _ in range(3):
        answer = await reply(slack, await slack.upload(ORIGINAL, user=MEMBER, channel=HERE, text="min:0"))
        assert "`sofa`" in answer.everything
        assert "(1 image)" in answer.everything
    assert len(slack.calls("users.list")) == 1
    assert slack.calls("conversations.members") == []


@pytest.mark.parametrize("text", ["search last", "search last min:0"])
async def test_results_that_a_channel_may_not_see_are_not_shared(slack: FakeSlack, start: Start, text: str) -> None:
    app = await start_with_guest(slack, start)
    slack.add_channel("C0MIXED", "mixed", members=[GUEST, MEMBER])
    await watch(app, ChannelMode.LOOKUP, "parts", channel="C0MIXED")
    asked = await slack.upload(ORIGINAL, user=MEMBER, channel="C0MIXED")
    answer = await reply(slack, asked)
    assert "Nothing in `parts` that I can show here." in answer.everything
    assert "No close" not in answer.everything
    mine = await run_command(slack, text, user=MEMBER, channel="C0MIXED")
    assert "`lamp`" in mine.everything
    assert "results_share" in action_ids(mine)
    public = [message for message in slack.transcript if not message.to]
    told = await press(slack, mine, "results_share", user=MEMBER)
    assert told.to == MEMBER
    assert "Nothing that I can show here" in told.everything
    await settled(slack, app)
    assert [message for message in slack.transcript if not message.to] == public


async def test_guest_is_not_told_what_has_the_name_of_a_new_database(slack: FakeSlack, start: Start) -> None:
    await start_with_guest(slack, start)
    refused = await run_command(slack, "db create secret_stock", user=GUEST, channel=HERE)
    assert refused.text == "The name “secret_stock” isn't available. Choose another one."
    await slack.press(await run_command(slack, "db", user=GUEST, channel=HERE), "create_database", user=GUEST)
    form = await slack.wait_for_view("create_database_form", user=GUEST)
    await slack.submit(form, {"name": "secret_stock"})
    assert form.errors == {"name": refused.text}
    # Whoever may know of the database is told that it exists.
    for user, name in ((GUEST, "parts"), (MEMBER, "secret_stock")):
        told = await run_command(slack, f"db create {name}", user=user, channel=HERE)
        assert told.text == f"A database named “{name}” already exists. Choose another name."
