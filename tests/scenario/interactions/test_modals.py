"""The search form: several pictures and a URL, mistakes, failures, and where the answer goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.wording.errors import STILL_WORKING
from bot.domain.errors import BackendDown
from handlers.listeners import submitted_modal
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, View
from tests.scenario.conftest import PictureServer, Start, fill
from tests.scenario.support.requests import (
    GASKET,
    UNRELATED,
    VALVE,
    act,
    action_ids,
    images_of,
    key_of,
    message_after,
    run_command,
    submit_form,
)

FORM = "search_form"


async def open_search_form(slack: FakeSlack) -> View:
    """Open the search form with the command."""
    await slack.command("")
    return await slack.wait_for_view(FORM)


async def test_several_pictures_and_a_url_get_one_answer(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    form = await open_search_form(slack)
    files = [slack.host(VALVE, "one.png"), slack.host(UNRELATED, "two.png")]
    ack = await slack.submit(form, {"files": files, "url": pictures.url("three.png", GASKET)})
    assert ack == {"response_action": "clear"}
    answer = await slack.wait_for_answer()
    for part in ("*2 of 3 found*, 1 similar", "`one.png`", "`valve_0042`", "`two.png`", "`gasket_7`"):
        assert part in answer.everything
    assert (answer.to, answer.via, answer.channel) == (SOMEONE, "response_url", GENERAL)
    assert slack.views() == []
    assert len(slack.transcript) == 1


async def test_form_preselects_the_channels_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    for name in ("parts", "logos", "ads"):
        await fill(app, name, valve_0042=VALVE)
    await run_command(slack, "watch lookup in:logos")
    form = await open_search_form(slack)
    await slack.submit(form, {"files": VALVE})
    answer = await slack.wait_for(lambda m: "valve_0042" in m.everything)
    assert "`logos`" in answer.everything
    form = await open_search_form(slack)
    await slack.submit(form, {"files": VALVE, "database": "ads"})
    assert "`ads`" in (await slack.wait_for(lambda m: "Best match in ads" in m.text)).everything


async def test_answer_may_go_to_the_channel(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    form = await open_search_form(slack)
    await slack.submit(form, {"files": VALVE, "readers": "channel", "top": "1"})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert answer.to == ""
    assert f"<@{SOMEONE}>" in answer.everything
    assert "`gasket_7`" not in answer.everything
    assert "results_share" not in action_ids(answer)
    # Nobody else has seen the picture.
    assert any(element.get("slack_file") for block in answer.blocks for element in block.get("elements", ()))
    assert "asked about `" in answer.everything
    await slack.wait_until(lambda: form.closed)


@pytest.mark.parametrize("readers", ["me", "channel"])
async def test_command_answers_where_the_bot_is_not_a_member(slack: FakeSlack, start: Start, readers: str) -> None:
    slack.add_channel("C0AWAY", "away", private=readers == "me", bot_is_member=False)
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command("", channel="C0AWAY")
    form = await slack.wait_for_view(FORM)
    await slack.submit(form, {"files": VALVE, "readers": readers})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert (answer.channel, answer.to) == ("C0AWAY", SOMEONE if readers == "me" else "")


async def test_private_channel_without_the_bot_counts_as_unknown_readers(slack: FakeSlack, start: Start) -> None:
    slack.add_channel("C0AWAY", "away", private=True, bot_is_member=False)
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command("", channel="C0AWAY")
    form = await slack.wait_for_view(FORM)
    await slack.submit(form, {"files": VALVE, "readers": "channel"})
    await slack.wait_until(lambda: "Nothing that I can show here" in str(form.errors))
    assert [message for message in slack.transcript if message.channel == "C0AWAY"] == []
    assert "valve_0042" not in form.everything


async def test_mistakes_are_shown_at_their_fields(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    form = await open_search_form(slack)
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


async def test_invalid_image_does_not_affect_the_others(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    form = await open_search_form(slack)
    await slack.submit(form, {"files": [slack.host(VALVE[:200], "broken.png"), slack.host(VALVE, "whole.png")]})
    answer = await slack.wait_for_answer()
    assert "damaged" in answer.everything
    assert "`valve_0042`" in answer.everything


async def test_form_offers_to_create_a_database_if_there_is_none(slack: FakeSlack, start: Start) -> None:
    await start()
    await slack.command("")
    note = await slack.wait_for_view("note")
    assert "Create a database first" in note.everything
    await slack.press_in_view(note, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "parts"})
    notice = await slack.wait_for_answer()
    assert "Created the database `parts`" in notice.everything
    # It uses the command's response URL, so the bot need not be in the channel.
    assert notice.via == "response_url"
    assert slack.views() == []


class HeldSearch:
    """Holds searches until released."""

    def __init__(self, app: SlackApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        search = app.services.visual.search

        async def slow_search(_self: object, *arguments: Any) -> Any:
            self.begun.set()
            await self.go_on.wait()
            return await search(*arguments)

        monkeypatch.setattr(type(app.services.visual), "search", slow_search)


async def test_form_of_a_slow_search_closes_in_time(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitted_modal, "CLOSE_AFTER_S", 0.05)
    monkeypatch.setattr(submitted_modal, "PROGRESS_AFTER_S", 0.1)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    slow = HeldSearch(app, monkeypatch)
    form = await open_search_form(slack)
    ack = await slack.submit(form, {"files": VALVE})
    assert ack == {"response_action": "clear"}
    assert slack.state.acks[-1].seconds < 1
    assert (await slack.wait_for_answer()).text == STILL_WORKING
    before = len(slack.transcript)
    slow.go_on.set()
    assert "`valve_0042`" in (await slack.wait_for_answer(after=before)).everything
    assert slack.views() == []


async def test_form_that_failed_after_it_closed_opens_again_with_its_input(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch, pictures: PictureServer
) -> None:
    monkeypatch.setattr(submitted_modal, "CLOSE_AFTER_S", 0.05)
    app = await start(VSEARCH_TRUSTED_HOSTS=pictures.address)
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos", acme=GASKET)
    go_on, search = asyncio.Event(), app.services.visual.search

    async def fail(*_: object) -> None:
        await go_on.wait()
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "search", fail)
    form = await open_search_form(slack)
    url = pictures.url("v.png", GASKET)
    await slack.submit(form, {"files": slack.host(VALVE, "v.png"), "url": url, "database": "logos", "top": "3"})
    await slack.wait_until(lambda: form.closed)
    before = len(slack.transcript)
    go_on.set()
    notice = await slack.wait_for_answer(after=before)
    assert "try again" in notice.text.lower()
    assert "secret" not in notice.everything
    await slack.press(notice, "reopen_form")
    again = await slack.wait_for_view(FORM)
    assert "Your images are still here: `v.png`." in again.everything
    assert url in str(again.body["blocks"])
    monkeypatch.setattr(type(app.services.visual), "search", lambda _, *given: search(*given))
    answer = await submit_form(slack, again)
    assert "*1 of 2 found*, 1 similar" in answer.everything
    assert "`v.png`" in answer.everything


async def test_failure_is_reported_in_the_form(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)

    async def fail(*_: object) -> None:
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "search", fail)
    form = await open_search_form(slack)
    await slack.submit(form, {"files": VALVE})
    await slack.wait_until(lambda: "can't be reached right now" in form.errors.get("files", ""))
    assert "secret" not in str(form.errors)
    assert slack.transcript == []


async def test_unreachable_address_is_reported_at_its_field(
    slack: FakeSlack, start: Start, pictures: PictureServer
) -> None:
    app = await start(VSEARCH_TRUSTED_HOSTS=f"{pictures.address},127.0.0.1:9")
    await fill(app, "parts", valve_0042=VALVE)
    form = await open_search_form(slack)
    for url in ("http://127.0.0.1:9/v.png", pictures.url("moved.png", b"<html>moved</html>")):
        await slack.submit(form, {"url": url})
        await slack.wait_until(lambda: bool(form.errors))
        assert list(form.errors) == ["url"]
        assert not form.closed
    await slack.submit(form, {"url": pictures.url("v.png", VALVE)})
    assert "`valve_0042`" in (await slack.wait_for_answer()).everything


async def test_database_deleted_meanwhile_is_named_at_its_field(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    form = await open_search_form(slack)
    await app.services.databases.delete(key_of(app, "parts"))
    await slack.submit(form, {"files": VALVE})
    await slack.wait_until(lambda: bool(form.errors))


async def test_expired_trigger_is_explained(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.refuse_next("views.open", "expired_trigger_id")
    assert "Please try again" in (await run_command(slack, "")).text


async def test_global_shortcut_answers_in_the_chosen_conversation(slack: FakeSlack, start: Start) -> None:
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


async def test_global_shortcut_answers_directly_if_no_conversation_is_chosen(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.shortcut_global("search_by_image")
    form = await slack.wait_for_view(FORM)
    await slack.submit(form, {"files": VALVE, "conversation": None, "readers": "channel"})
    assert form.errors == {"conversation": "Choose the channel that gets the results."}
    await slack.submit(form, {"files": VALVE, "conversation": None, "readers": "me"})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert (slack.state.channels[answer.channel].kind, answer.via) == ("im", "chat.postMessage")
    # A direct message has nobody to share with.
    assert "results_share" not in action_ids(answer)
    assert slack.views() == []


async def test_upload_is_added_from_its_answer(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    form = await open_search_form(slack)
    await slack.submit(form, {"files": slack.host(VALVE, "Ball valve.png")})
    answer = await slack.wait_for_answer()
    await act(slack, answer, "results_add_this")
    add = await slack.wait_for_view("add_form")
    await slack.submit(add, {"entity": "Ball\u202eValve", "note": "DN 25"})
    assert "entity" in add.errors
    await slack.submit(add, {"entity": "Valve_0042", "note": "DN 25"})
    again = await slack.wait_for(lambda m: "Added" in m.text)
    assert add.closed
    [record] = await images_of(app, "parts", "valve_0042")
    assert (record.note, record.added_by) == ("DN 25", SOMEONE)
    assert again.to == SOMEONE


async def test_same_search_runs_in_another_database(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", gasket_7=GASKET)
    await fill(app, "logos", acme=VALVE)
    form = await open_search_form(slack)
    await slack.submit(form, {"files": VALVE, "database": "parts"})
    answer = await slack.wait_for_answer()
    before = len(slack.transcript)
    await act(slack, answer, "results_another_database")
    another = await slack.wait_for_view("another_database_form")
    await slack.submit(another)
    found = await slack.wait_for_answer(after=before)
    assert "`acme`" in found.everything
    assert found.to == SOMEONE
