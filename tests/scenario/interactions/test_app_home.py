"""App Home: databases and channels, set up in one place, without anything that its reader may not see."""

from __future__ import annotations

import dataclasses

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.button_state import FormState
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import BackendDown
from bot.domain.identifiers import WorkspaceId
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fakes.slack.payloads import event_body
from tests.scenario.conftest import Start, fill
from tests.scenario.support.home import open_home, wait_until_hidden, wait_until_shown
from tests.scenario.support.requests import GASKET, VALVE, idle, images_of, key_of, message_after, names_of, run_command

OTHER = "U0OTHER"
SECRET = "G0SECRET"


async def binding_of(app: SlackApp, channel: str = GENERAL) -> ChannelBinding | None:
    """Return a channel's settings."""
    assert app.identity is not None
    return await app.services.storage.bindings.get(WorkspaceId(app.identity.workspace), channel)


async def test_empty_workspace_is_invited_to_create_a_database(slack: FakeSlack, start: Start) -> None:
    await start()
    home = await open_home(slack)
    assert "No image databases yet. Create one" in home.everything
    assert "No channels set up yet" in home.everything
    assert "Search by image" not in home.everything


async def test_databases_and_channels_are_listed(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve_0042=VALVE, gasket_7=GASKET)
    await run_command(slack, "db create logos")
    await run_command(slack, "watch guard in:parts min:9.5")
    home = await open_home(slack)
    for part in (
        "`parts`  ·  2 images",
        "`logos`  ·  0 images",
        f"by <@{SOMEONE}>",
        f"Images shared in <#{GENERAL}> are checked against `parts`. Matches of 9.5 and higher are reported",
        "2 databases, 2 images. Search back end: `embedded`.",
    ):
        assert part in home.everything


async def test_home_is_published_once_per_opening(slack: FakeSlack, start: Start) -> None:
    app = await start()
    event = {"type": "app_home_opened", "user": SOMEONE, "tab": "home", "event_ts": slack.state.ts()}
    payload = event_body(slack.state, slack.state.home, event)
    for _ in range(3):
        await slack.deliver("events_api", payload)
    # Direct messages need no Home tab.
    await slack.open_home(tab="messages")
    await slack.wait_for_home()
    assert await app.wrapper.drain(5) == 0
    assert len(slack.calls("views.publish")) == 1


async def test_private_channels_are_shown_to_their_members(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts")
    slack.add_channel(SECRET, "secret", kind="private", members=[OTHER])
    slack.add_channel("C0AWAY", "away", private=True, bot_is_member=False, members=[OTHER])
    for channel in (SECRET, "C0AWAY"):
        await run_command(slack, "watch collect in:parts", channel=channel, user=OTHER)
    assert SECRET in (await open_home(slack, OTHER)).everything
    home = await open_home(slack)
    assert SECRET not in home.everything
    # The bot can't tell who is in a private channel that it isn't in.
    assert "C0AWAY" not in home.everything


async def test_database_is_created(slack: FakeSlack, start: Start) -> None:
    app = await start()
    home = await open_home(slack)
    await slack.press_in_view(home, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "p!"})
    assert "2 to 64" in form.errors["name"]
    await slack.submit(form, {"name": "parts"})
    await wait_until_shown(slack, home, "`parts`  ·  0 images")
    assert await names_of(app) == ["parts"]
    assert slack.views() == []
    assert slack.transcript == []


async def test_channel_is_chosen_and_watched(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    home = await open_home(slack)
    await slack.press_in_view(home, "watch_channel")
    form = await slack.wait_for_view("watch_form")
    await slack.submit(form, {"channel": GENERAL, "mode": "guard", "database": "parts", "minimum": "ten"})
    assert set(form.errors) == {"minimum"}
    await slack.submit(form, {"channel": GENERAL, "mode": "guard", "database": "parts", "minimum": "9.5"})
    await wait_until_shown(slack, home, "Matches of 9.5 and higher are reported")
    now = await binding_of(app)
    assert now is not None
    assert (now.mode, now.database, now.minimum, now.changed_by) == (ChannelMode.GUARD, "parts", 9.5, SOMEONE)


async def test_channel_is_edited_and_unwatched(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts")
    await fill(app, "logos")
    await run_command(slack, "watch guard in:parts min:8")
    home = await open_home(slack)
    await slack.press_in_view(home, "watch_channel", about=GENERAL)
    form = await slack.wait_for_view("watch_form")
    # The form begins with the current settings.
    await slack.submit(form, {"database": "logos"})
    await wait_until_shown(slack, home, "checked against `logos`. Matches of 8 and higher are reported")
    await slack.press_in_view(home, "unwatch_channel", about=GENERAL)
    await wait_until_shown(slack, home, "are ignored")
    now = await binding_of(app)
    assert now is not None
    assert now.mode is ChannelMode.OFF
    assert "Stop watching" not in home.everything
    posted = [(m.channel, m.text) for m in slack.transcript if m.via == "chat.postMessage"]
    assert [channel for channel, _ in posted] == [GENERAL] * 3
    assert [f"<@{SOMEONE}> " in text for _, text in posted] == [True] * 3


async def test_hints_are_set_by_authorised_people(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await run_command(slack, "db create parts")
    for wanted in (["hints"], []):
        home = await open_home(slack)
        await slack.press_in_view(home, "database_settings")
        form = await slack.wait_for_view("database_settings_form")
        await slack.submit(form, {"hints": wanted})
        await slack.wait_until(lambda: slack.views() == [])
        info = await app.services.databases.find(key_of(app, "parts"))
        assert info.hints_at_hidden is bool(wanted)


async def test_settings_and_deletion_are_refused_to_others(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await run_command(slack, "db create parts")
    home, theirs = await open_home(slack), await open_home(slack, OTHER)
    await slack.press_in_view(home, "database_settings")
    form = await slack.wait_for_view("database_settings_form")
    for view, action in ((home, "database_settings"), (form, "delete_database")):
        # They have no such button, so the press is forged.
        assert action not in str(theirs.body)
        before = len(slack.transcript)
        await slack.press_in_view(view, action, user=OTHER)
        notice = await message_after(slack, before)
        assert "Ask one of them" in notice.text
        assert slack.state.channels[notice.channel].members == [OTHER]
    assert slack.views(OTHER) == []
    assert await names_of(app) == ["parts"]


async def test_database_is_deleted(slack: FakeSlack, start: Start) -> None:
    slack.add_person(SOMEONE, is_admin=True)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    await fill(app, "logos")
    home = await open_home(slack)
    assert "delete_database" not in str(home.body)
    await slack.press_in_view(home, "database_settings", about="parts")
    settings = await slack.wait_for_view("database_settings_form")
    confirm = next(block["elements"][0]["confirm"] for block in settings.blocks if block["type"] == "actions")
    assert "parts with 1 image" in confirm["text"]["text"]
    await slack.press_in_view(settings, "delete_database")
    form = await slack.wait_for_view("delete_database_form")
    assert len(slack.views()) == 2
    await slack.submit(form, {"name": "logos"})
    assert set(form.errors) == {"name"}
    await slack.submit(form, {"name": "parts"})
    await wait_until_hidden(slack, home, "`parts`")
    notice = await slack.wait_for(lambda m: m.text == "Deleted the database `parts` with 1 image.")
    assert (form.closed, settings.closed, slack.state.channels[notice.channel].kind) == (True, True, "im")
    assert await names_of(app) == ["logos"]


async def test_search_form_opens_from_home(slack: FakeSlack, start: Start) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    home = await open_home(slack)
    await slack.press_in_view(home, "open_search")
    form = await slack.wait_for_view("search_form")
    await slack.submit(form, {"files": VALVE})
    answer = await slack.wait_for(lambda m: "`valve_0042`" in m.everything)
    assert answer.to == SOMEONE or slack.state.channels[answer.channel].kind == "im"


async def test_home_reports_a_failing_back_end(slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await start()

    async def fail(*_: object) -> None:
        raise BackendDown("disk /dev/secret is on fire")

    monkeypatch.setattr(type(app.services.visual), "ping", fail)
    home = await open_home(slack)
    assert ":warning:" in home.everything
    assert "secret" not in home.everything


async def test_changes_work_if_slack_shows_no_home(slack: FakeSlack, start: Start) -> None:
    app = await start()
    home = await open_home(slack)
    await slack.press_in_view(home, "create_database")
    form = await slack.wait_for_view("create_database_form")
    # The press has refreshed Home.
    await idle(app)
    slack.refuse_next("views.publish", "unknown_method")
    await slack.submit(form, {"name": "parts"})
    await idle(app)
    assert len(slack.calls("views.publish")) == 3
    assert await names_of(app) == ["parts"]
    assert slack.transcript == []


async def test_many_databases_and_channels_fit(slack: FakeSlack, start: Start) -> None:
    app = await start()
    for number in range(60):
        await app.services.databases.create(key_of(app, f"database_{number:02d}"))
        slack.add_channel(f"C0MANY{number:02d}", f"many-{number}")
        await run_command(slack, f"watch collect in:database_{number:02d}", channel=f"C0MANY{number:02d}")
    home = await open_home(slack)
    assert len(home.blocks) <= 100
    assert "more databases" in home.everything
    assert "more channels" in home.everything
    assert await images_of(app, "database_00", "nothing") == ()


async def test_results_of_the_form_come_directly_although_home_has_a_response_url(
    slack: FakeSlack, start: Start
) -> None:
    await fill(await start(), "parts", valve_0042=VALVE)
    home = await open_home(slack)
    await slack.press_in_view(home, "open_search")
    form = await slack.wait_for_view("search_form")
    # Some clients send such a URL. It takes replies and shows them nowhere.
    nowhere = slack.state.new_response_url("C0NOWHERE", SOMEONE)
    state = FormState.decode(form.body["private_metadata"])
    form.body["private_metadata"] = dataclasses.replace(state, response_url=nowhere).encode()
    await slack.submit(form, {"files": VALVE})
    answer = await message_after(slack, 0)
    assert "`valve_0042`" in answer.everything
    assert (slack.state.channels[answer.channel].kind, answer.via) == ("im", "chat.postMessage")
    assert slack.views() == []
