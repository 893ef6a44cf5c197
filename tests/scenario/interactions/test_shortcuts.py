"""Message shortcuts on any visible message, and the global shortcut."""

from __future__ import annotations

import pytest

from bot.blocks.wording.help import UNKNOWN_SHORTCUT
from bot.blocks.wording.images import FILE_DELETED, FILE_NOT_VISIBLE, NO_IMAGE_IN_MESSAGE
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.files import tombstone
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, action_ids, images_of, key_of

FIND, ADD, SEARCH = "find_similar", "add_to_database", "search_by_image"


async def use_shortcut(slack: FakeSlack, callback_id: str, message: Message, *, user: str = SOMEONE) -> Message:
    """Choose a shortcut from a message's menu, and return the ephemeral answer."""
    before = len(slack.transcript)
    await slack.shortcut_message(callback_id, message, user=user)
    return await slack.wait_for_answer(to=user, after=before)


async def start_ignoring_shares(slack: FakeSlack, start: Start, **pictures: bytes) -> None:
    """Start a bot that ignores shares, with a database of these pictures."""
    app = await start()
    await fill(app, "parts", **pictures)
    await slack.command("unwatch")
    await slack.wait_for_answer()


async def test_similar_images_are_shown_to_the_person_who_asked(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    message = await slack.upload(VALVE, user="U0AUTHOR")
    answer = await use_shortcut(slack, FIND, message, user="U0OTHER")
    assert "`valve_0042`" in answer.everything
    assert (answer.to, answer.via) == ("U0OTHER", "response_url")
    assert "results_share" in action_ids(answer)


async def test_message_from_before_the_bot_joined_is_looked_up(slack: FakeSlack, start: Start) -> None:
    message = await slack.upload(VALVE)
    slack.pass_time(400 * 24 * 60 * 60)
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    assert "`valve_0042`" in (await use_shortcut(slack, FIND, message)).everything


async def test_in_a_thread_the_answer_is_posted_and_shared_there(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    first = await slack.say("what is this?")
    message = await slack.upload(VALVE, thread_ts=first.ts)
    answer = await use_shortcut(slack, FIND, message)
    assert answer.thread_ts == first.ts
    await slack.press(answer, "results_share")
    public = await slack.wait_for(lambda m: "Shared by" in m.everything)
    assert (public.to, public.thread_ts) == ("", first.ts)


async def test_another_bots_picture_is_looked_up_on_request(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    message = await slack.upload(VALVE, user=slack.state.bot_user)
    assert "`valve_0042`" in (await use_shortcut(slack, FIND, message)).everything


async def test_several_images_are_looked_up_in_one_answer(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE, gasket_7=GASKET)
    table = slack.host(b"%PDF-1.7", "table.pdf")
    message = await slack.upload(slack.host(VALVE, "one.png"), table, slack.host(GASKET, "two.png"))
    answer = await use_shortcut(slack, FIND, message)
    for part in ("*2 of 2 found*", "`one.png`", "`valve_0042`", "`two.png`", "`gasket_7`"):
        assert part in answer.everything
    assert "table.pdf" not in answer.everything


@pytest.mark.parametrize("callback_id", [FIND, ADD])
async def test_message_without_an_image_is_explained(slack: FakeSlack, start: Start, callback_id: str) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    words = await slack.say("hello")
    document = await slack.upload(slack.host(b"%PDF-1.7", "table.pdf"))
    for message in (words, document):
        assert (await use_shortcut(slack, callback_id, message)).text == NO_IMAGE_IN_MESSAGE
    assert slack.views() == []


async def test_deleted_image_is_explained(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    message = await slack.upload(VALVE)
    file = message.files[0]
    await slack.delete_file(file)
    assert (await use_shortcut(slack, FIND, message)).text == FILE_DELETED
    hidden = await slack.upload(GASKET)
    hidden.files[0].stub, hidden.files[0].stubs = tombstone(hidden.files[0].id), 99
    assert (await use_shortcut(slack, FIND, hidden)).text == FILE_DELETED


async def test_response_url_is_used_where_the_bot_is_not_a_member(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    slack.add_channel("C0ELSE", "elsewhere", bot_is_member=False)
    message = await slack.upload(VALVE, channel="C0ELSE")
    answer = await use_shortcut(slack, FIND, message)
    assert (answer.channel, answer.via) == ("C0ELSE", "response_url")
    # Slack gives a bot only the files of its own channels.
    assert answer.text == FILE_NOT_VISIBLE
    # Images known from elsewhere are shown, and shared, through a response URL too.
    file = message.files[0]
    file.channels.add(GENERAL)
    answer = await use_shortcut(slack, FIND, message)
    assert "`valve_0042`" in answer.everything
    await slack.press(answer, "results_share")
    public = await slack.wait_for(lambda m: "Shared by" in m.everything)
    assert (public.channel, public.to, public.via) == ("C0ELSE", "", "response_url")


async def test_mistakes_are_reported_in_a_private_channel_without_the_bot(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    slack.add_channel("C0SECRET", "secrets", kind="private", bot_is_member=False)
    words = await slack.say("hello", channel="C0SECRET")
    assert (await use_shortcut(slack, FIND, words)).text == NO_IMAGE_IN_MESSAGE


async def test_form_asks_for_the_database_if_there_are_several(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=VALVE, star=GASKET)
    message = await slack.upload(slack.host(VALVE, "one.png"), slack.host(GASKET, "two.png"))
    await slack.shortcut_message(FIND, message)
    view = await slack.wait_for_view("another_database_form")
    assert "parts" in str(view.body)
    before = len(slack.transcript)
    await slack.submit(view, {"database": "logos"})
    answer = await slack.wait_for_answer(after=before)
    assert "`acme`" in answer.everything
    assert "`star`" in answer.everything


async def test_channels_own_database_is_searched(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=VALVE)
    await slack.command("watch guard in:logos")
    await slack.wait_for_answer()
    slack.add_channel("C0ELSE", "elsewhere")
    message = await slack.upload(VALVE)
    assert "`acme`" in (await use_shortcut(slack, FIND, message)).everything


@pytest.mark.parametrize("callback_id", [FIND, ADD])
async def test_without_a_database_one_may_be_created(slack: FakeSlack, start: Start, callback_id: str) -> None:
    app = await start()
    slack.add_channel("C0ELSE", "elsewhere", bot_is_member=False)
    message = await slack.upload(VALVE, channel="C0ELSE")
    if callback_id == FIND:
        offer = await use_shortcut(slack, FIND, message)
        await slack.press(offer, "create_database")
    else:
        await slack.shortcut_message(ADD, message)
        view = await slack.wait_for_view(lambda shown: "Create a database first" in shown.everything)
        await slack.press_in_view(view, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "parts"})
    await slack.wait_for(lambda m: "Created the database `parts`" in m.everything)
    assert (await app.services.databases.find(key_of(app, "parts"))).images == 0


async def test_image_is_added_by_its_shortcut(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    await slack.command("unwatch")
    await slack.wait_for_answer()
    message = await slack.upload(VALVE, user="U0AUTHOR")
    await slack.shortcut_message(ADD, message)
    view = await slack.wait_for_view("add_form")
    before = len(slack.transcript)
    await slack.submit(view, {"entity": "valve_0042", "note": "Ball valve"})
    assert "Added" in (await slack.wait_for_answer(after=before)).text
    assert view.closed
    [record] = await images_of(app, "parts", "valve_0042")
    assert record.added_by == SOMEONE
    assert record.origin is not None
    assert (record.origin.channel, record.origin.message_ts) == (GENERAL, message.ts)


async def test_all_images_of_a_message_are_added_except_invalid_ones(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    await slack.command("unwatch")
    await slack.wait_for_answer()
    broken = slack.host(VALVE[:200], "broken.png")
    message = await slack.upload(slack.host(VALVE, "one.png"), broken, slack.host(UNRELATED, "two.png"), GASKET)
    await slack.shortcut_message(ADD, message)
    view = await slack.wait_for_view("add_form")
    assert "All 4 images get the same id and note." in view.everything
    before = len(slack.transcript)
    await slack.submit(view, {"entity": "set_1"})
    answer = await slack.wait_for_answer(after=before)
    assert answer.everything.count("Added the image to `parts` as `set_1`.") == 4  # as text and as blocks
    assert "damaged" in answer.everything
    assert "already in `parts` as `gasket_7`" in answer.everything
    assert len(await images_of(app, "parts", "set_1")) == 2


async def test_broken_image_gets_one_sentence(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    message = await slack.upload(slack.host(VALVE[:200], "broken.png"))
    answer = await use_shortcut(slack, FIND, message)
    assert "damaged" in answer.text
    assert len(answer.blocks) == 1


async def test_global_shortcut_opens_a_search_form(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE, gasket_7=GASKET)
    await slack.shortcut_global(SEARCH)
    view = await slack.wait_for_view("search_form")
    assert any(block.get("block_id") == "conversation" for block in view.blocks)
    before = len(slack.transcript)
    await slack.submit(view, {"files": VALVE})
    answer = await slack.wait_for_answer(after=before)
    assert (answer.channel, answer.to) == (GENERAL, SOMEONE)
    assert "`valve_0042`" in answer.everything


async def test_shortcut_of_another_version_is_explained(slack: FakeSlack, start: Start) -> None:
    await start_ignoring_shares(slack, start, valve_0042=VALVE)
    message = await slack.upload(VALVE)
    assert (await use_shortcut(slack, "find_by_smell", message)).text == UNKNOWN_SHORTCUT
    await slack.shortcut_global("find_by_smell")
    directly = await slack.wait_for(lambda m: m.channel.startswith("D"))
    assert directly.text == UNKNOWN_SHORTCUT
