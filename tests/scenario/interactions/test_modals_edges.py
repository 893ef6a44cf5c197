"""Forms whose submission is invalid, or whose work fails before it starts."""

from __future__ import annotations

import pytest

from bot.domain.errors import BackendDown
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, action_ids, key_of, message_after, names_of, run_command


async def fail(*_: object, **__: object) -> None:
    raise BackendDown("disk /dev/secret is on fire")


async def test_expired_trigger_of_the_global_shortcut_is_reported_directly(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    slack.refuse_next("views.open", "expired_trigger_id")
    await slack.shortcut_global("search_by_image")
    notice = await message_after(slack, 0)
    assert "Please try again" in notice.text
    assert slack.state.channels[notice.channel].kind == "im"


@pytest.mark.parametrize("metadata", ["[]", "{", '{"channel":1,"unknown":2}'])
async def test_form_of_another_version_asks_to_try_again(slack: FakeSlack, start: Start, metadata: str) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    await slack.command("")
    form = await slack.wait_for_view("search_form")
    form.body["private_metadata"] = metadata
    await slack.submit(form, {"files": VALVE})
    assert "Please try again" in form.everything
    assert slack.transcript == []


async def test_back_end_failure_is_shown_at_the_name_of_a_new_database(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await slack.press(await run_command(slack, "db"), "create_database")
    form = await slack.wait_for_view("create_database_form")
    monkeypatch.setattr(type(app.services.visual), "create_database", fail)
    await slack.submit(form, {"name": "parts"})
    assert "can't be reached right now" in form.errors["name"]
    assert await names_of(app) == []


async def test_forms_are_answered_while_storage_is_down(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await slack.press(await run_command(slack, "status"), "watch_channel")
    form = await slack.wait_for_view("watch_form")
    monkeypatch.setattr(type(app.services.storage.bindings), "put", fail)
    await slack.submit(form, {"mode": "collect"})
    assert "can't be reached right now" in form.errors["mode"]
    assert "secret" not in str(form.errors)


async def test_deleted_database_is_reported_at_its_field(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    await slack.press(await run_command(slack, "status"), "watch_channel")
    form = await slack.wait_for_view("watch_form")
    await app.services.databases.delete(key_of(app, "parts"))
    await slack.submit(form, {"database": "parts"})
    assert set(form.errors) == {"database"}


async def test_answer_in_the_bots_own_messages_has_no_share_button(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE, gasket_7=GASKET)
    slack.add_channel("D0SOMEONE", "", kind="im")
    shared = await slack.upload(VALVE, channel="D0SOMEONE")
    answer = await slack.wait_for_reply("D0SOMEONE", shared.ts)
    assert "results_add_this" in action_ids(answer)
    assert "results_share" not in action_ids(answer)
    again = await run_command(slack, "search last")
    assert "/invite" in again.everything
    assert (again.to, again.channel) == (SOMEONE, GENERAL)
