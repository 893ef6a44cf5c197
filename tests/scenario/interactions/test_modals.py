"""The search form: several pictures and an address, its mistakes, its waiting view, and where the answer goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.errors import BackendDown
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, View
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import (
    GASKET,
    STRANGER,
    VALVE,
    action_ids,
    ask,
    idle,
    images_of,
    key_of,
    message_after,
)

FORM = "search_form"


async def opened(slack: FakeSlack) -> View:
    """The search form, as the command opens it."""
    await slack.command("")
    return await slack.wait_for_view(FORM)


async def says(slack: FakeSlack, view: View, text: str) -> None:
    """Wait until a modal says something."""
    await slack.wait_until(lambda: text in view.everything)


async def test_several_pictures_and_an_address_get_one_answer(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    form = await opened(slack)
    files = [slack.host(VALVE, "one.png"), slack.host(STRANGER, "two.png")]
    ack = await slack.submit(form, {"files": files, "url": pictures.url("three.png", GASKET)})
    assert ack["response_action"] == "update"
    assert "Searching…" in str(ack["view"])
    answer = await slack.wait_for_answer()
    for part in ("*3 pictures* looked up in `parts`", "1. one.png", "`valve_0042`", "2. two.png", "`gasket_7`"):
        assert part in answer.everything
    assert (answer.to, answer.via, answer.channel) == (SOMEONE, "response_url", GENERAL)
    await says(slack, form, "Your results are in the channel. Only you can see them.")
    assert len(slack.transcript) == 1


async def test_the_form_knows_the_channels_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    for name in ("parts", "logos", "ads"):
        await fill(app, name, valve_0042=VALVE)
    await ask(slack, "watch lookup in:logos")
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE})
    answer = await slack.wait_for(lambda m: "valve_0042" in m.everything)
    assert "`logos`" in answer.everything
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE, "database": "ads"})
    assert "`ads`" in (await slack.wait_for(lambda m: "Best match in ads" in m.text)).everything


async def test_the_answer_may_go_to_the_channel(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE, "readers": "channel", "top": "1"})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert answer.to == ""
    assert f"<@{SOMEONE}>" in answer.everything
    assert "`gasket_7`" not in answer.everything
    assert "results_share" not in action_ids(answer)
    await says(slack, form, "The results are in the channel.")


@pytest.mark.parametrize("readers", ["me", "channel"])
async def test_the_command_answers_where_the_bot_is_not(slack: FakeSlack, start: Start, readers: str) -> None:
    slack.add_channel("C0AWAY", "away", private=readers == "me", bot_is_member=False)
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command("", channel="C0AWAY")
    form = await slack.wait_for_view(FORM)
    await slack.submit(form, {"files": VALVE, "readers": readers})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert (answer.channel, answer.to) == ("C0AWAY", SOMEONE if readers == "me" else "")


async def test_of_a_private_channel_without_the_bot_nobody_knows_who_reads_it(slack: FakeSlack, start: Start) -> None:
    slack.add_channel("C0AWAY", "away", private=True, bot_is_member=False)
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command("", channel="C0AWAY")
    form = await slack.wait_for_view(FORM)
    await slack.submit(form, {"files": VALVE, "readers": "channel"})
    answer = await slack.wait_for(lambda m: m.channel == "C0AWAY" and not m.to)
    assert "No close matches" in answer.everything
    assert "valve_0042" not in answer.everything


async def test_mistakes_stand_at_their_fields(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    form = await opened(slack)
    await slack.submit(form, {})
    assert form.errors == {"files": "Choose an image, or enter an image URL."}
    await slack.submit(form, {"files": [slack.host(VALVE, "v.png"), slack.host(b"%PDF-1.7", "table.pdf")]})
    assert form.errors == {"files": "table.pdf isn't an image. Remove it to continue."}
    await slack.submit(form, {"url": "example.com/valve.png"})
    assert form.errors == {"url": "Enter a URL that starts with https:// or http://."}
    await slack.submit(form, {"url": "ftp://example.com/a", "files": slack.host(b"a,b", "table.csv")})
    assert set(form.errors) == {"url", "files"}
    assert slack.transcript == []
    assert slack.views() == [form]


async def test_what_is_no_image_after_all_spoils_none_of_the_others(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    form = await opened(slack)
    await slack.submit(form, {"files": [slack.host(VALVE[:200], "broken.png"), slack.host(VALVE, "whole.png")]})
    answer = await slack.wait_for_answer()
    assert "damaged" in answer.everything
    assert "`valve_0042`" in answer.everything


async def test_without_a_database_the_form_offers_one(slack: FakeSlack, start: Start) -> None:
    await start()
    await slack.command("")
    note = await slack.wait_for_view("note")
    assert "Create a database first" in note.everything
    await slack.press_in_view(note, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "parts"})
    told = await slack.wait_for_answer()
    assert "Created the database `parts`" in told.everything
    # By the command's own response URL: the bot need not be in the channel.
    assert told.via == "response_url"
    assert slack.views() == []


class Slow:
    """Holds searches up until it is told to go on."""

    def __init__(self, app: SlackApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        search = app.services.visual.search

        async def slow_search(_self: object, *arguments: Any) -> Any:
            self.begun.set()
            await self.go_on.wait()
            return await search(*arguments)

        monkeypatch.setattr(type(app.services.visual), "search", slow_search)


async def test_slow_work_shows_a_waiting_view_at_once(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slow = Slow(app, monkeypatch)
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE})
    await slow.begun.wait()
    assert "Searching…" in form.everything
    assert slack.state.acks[-1].seconds < 1
    slow.go_on.set()
    await says(slack, form, "Your results are in the channel. Only you can see them.")
    assert "`valve_0042`" in slack.transcript[-1].everything


async def test_a_form_that_was_closed_meanwhile_changes_nothing_for_the_answer(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slow = Slow(app, monkeypatch)
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE})
    await slow.begun.wait()
    await slack.close(form)
    slow.go_on.set()
    assert "`valve_0042`" in (await slack.wait_for_answer()).everything
    await idle(app)
    assert len(slack.transcript) == 1


async def test_what_failed_behind_a_closed_form_is_told_in_the_channel(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def fail(*_: object) -> None:
        begun.set()
        await go_on.wait()
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "search", fail)
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE})
    await begun.wait()
    await slack.close(form)
    go_on.set()
    told = await slack.wait_for_answer()
    assert "try again" in told.text
    assert "secret" not in told.everything


async def test_what_failed_is_told_in_the_form(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)

    async def fail(*_: object) -> None:
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "search", fail)
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE})
    await says(slack, form, "can't be reached right now")
    assert "secret" not in form.everything
    assert slack.transcript == []


async def test_a_database_that_is_gone_meanwhile_is_named(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    form = await opened(slack)
    await app.services.databases.delete(key_of(app, "parts"))
    await slack.submit(form, {"files": VALVE})
    await says(slack, form, "no database “parts”")


async def test_an_expired_trigger_is_explained(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.refuse_next("views.open", "expired_trigger_id")
    assert "Please try again" in (await ask(slack, "")).text


async def test_the_global_shortcut_answers_in_the_chosen_conversation(slack: FakeSlack, start: Start) -> None:
    slack.add_channel("C0AWAY", "away", bot_is_member=False)
    await fill(await start(), "parts", valve_0042=VALVE)
    for readers, to in (("me", SOMEONE), ("channel", "")):
        await slack.shortcut_global("search_by_image")
        form = await slack.wait_for_view(FORM)
        before = len(slack.transcript)
        await slack.submit(form, {"files": VALVE, "conversation": "C0AWAY", "readers": readers})
        answer = await message_after(slack, before)
        assert (answer.channel, answer.to, answer.via) == ("C0AWAY", to, "response_url")
        assert "`valve_0042`" in answer.everything


async def test_the_global_shortcut_answers_directly_where_no_conversation_is_chosen(
    slack: FakeSlack, start: Start
) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.shortcut_global("search_by_image")
    form = await slack.wait_for_view(FORM)
    await slack.submit(form, {"files": VALVE, "conversation": None, "readers": "channel"})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert (slack.state.channels[answer.channel].kind, answer.via) == ("im", "chat.postMessage")
    # There is nobody to share with.
    assert "results_share" not in action_ids(answer)
    await says(slack, form, "Your results are in your direct messages with me.")


async def test_an_upload_is_added_from_its_answer(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    form = await opened(slack)
    await slack.submit(form, {"files": slack.host(VALVE, "Ball valve.png")})
    answer = await slack.wait_for_answer()
    await slack.press(answer, "results_add_this")
    add = await slack.wait_for_view("add_form")
    await slack.submit(add, {"entity": "Ball Valve", "note": "DN 25"})
    assert "entity" in add.errors
    await slack.submit(add, {"entity": "Valve_0042", "note": "DN 25"})
    await says(slack, add, "`valve_0042`")
    [record] = await images_of(app, "parts", "valve_0042")
    assert (record.note, record.added_by) == ("DN 25", SOMEONE)
    again = await slack.wait_for(lambda m: "Added" in m.text)
    assert again.to == SOMEONE


async def test_the_same_search_is_done_in_another_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    await fill(app, "logos", acme=VALVE)
    form = await opened(slack)
    await slack.submit(form, {"files": VALVE, "database": "parts"})
    answer = await slack.wait_for_answer()
    before = len(slack.transcript)
    await slack.press(answer, "results_another_database")
    another = await slack.wait_for_view("another_database_form")
    await slack.submit(another)
    found = await slack.wait_for_answer(after=before)
    assert "`acme`" in found.everything
    assert found.to == SOMEONE
