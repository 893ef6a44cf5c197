"""Who may change the settings of channels, and how changes are announced."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, View
from tests.scenario.commands.test_channels import binding_of
from tests.scenario.conftest import Start, fill
from tests.scenario.moderation.reposts import ADMIN
from tests.scenario.support.home import open_home, wait_until_shown
from tests.scenario.support.requests import VALVE, idle, run_command

NAMED, CREATOR, STRANGER = "U0NAMED", "U0CREATOR", "U0STRANGER"


@pytest.fixture
async def app(slack: FakeSlack, start: Start) -> SlackApp:
    app = await start()
    await fill(app, "ads")
    slack.add_person(ADMIN, "admin", is_admin=True)
    slack.add_person(NAMED, "named")
    slack.state.channels[GENERAL].creator = CREATOR
    return app


def announced(slack: FakeSlack, channel: str = GENERAL) -> list[str]:
    """Return what was announced in a channel."""
    return [m.text for m in slack.transcript if m.channel == channel and m.via == "chat.postMessage" and not m.to]


@pytest.mark.parametrize(
    ("editors", "allowed"),
    [
        ("everybody", {STRANGER, CREATOR, NAMED, ADMIN}),
        ("creators", {CREATOR, ADMIN}),
        ("@named", {NAMED, ADMIN}),
        ("creators,@named", {CREATOR, NAMED, ADMIN}),
    ],
)
async def test_setting_decides_who_changes_a_channel(
    slack: FakeSlack, app: SlackApp, editors: str, allowed: set[str]
) -> None:
    await run_command(slack, f"watch editors:{editors}", user=ADMIN)
    for user in (STRANGER, CREATOR, NAMED, ADMIN):
        await run_command(slack, "unwatch", user=ADMIN)
        for text in ("watch guard in:ads", "unwatch"):
            before = await binding_of(app)
            answer = await run_command(slack, text, user=user)
            assert ("Only workspace admins" in answer.everything) is (user not in allowed)
            assert (await binding_of(app) == before) is (user not in allowed)


async def test_only_admins_say_who_may_change_channels(slack: FakeSlack, app: SlackApp) -> None:
    told = await run_command(slack, "watch editors:creators", user=STRANGER)
    assert "Only workspace admins can change who may set" in told.everything
    answer = await run_command(slack, "watch editors:creators,@named", user=ADMIN)
    assert f"whoever created a channel, <@{NAMED}> and workspace admins can change" in answer.everything
    back = await run_command(slack, "watch editors:everybody", user=ADMIN)
    assert "everybody can change" in back.everything


async def home_before_the_setting(slack: FakeSlack, app: SlackApp) -> View:
    """Return a Home whose buttons are still on the screen when the setting takes them away."""
    # An earlier action may still update the Home tab.
    await idle(app)
    await run_command(slack, "watch editors:everybody", user=ADMIN)
    home = await open_home(slack)
    await wait_until_shown(slack, home, "Stop watching")
    await run_command(slack, "watch editors:creators", user=ADMIN)
    return home


async def test_forms_and_buttons_are_protected_too(slack: FakeSlack, app: SlackApp) -> None:
    await run_command(slack, "watch guard in:ads", user=ADMIN)
    await slack.press_in_view(await home_before_the_setting(slack, app), "watch_channel", about=GENERAL)
    form = await slack.wait_for_view("watch_form")
    await slack.submit(form, {"mode": "lookup"})
    assert "Only workspace admins" in form.errors["mode"]
    await slack.press_in_view(await home_before_the_setting(slack, app), "unwatch_channel", about=GENERAL)
    await idle(app)
    now = await binding_of(app)
    assert now is not None
    assert now.mode is ChannelMode.GUARD


async def test_people_see_no_buttons_of_channels_that_they_may_not_change(slack: FakeSlack, app: SlackApp) -> None:
    await run_command(slack, "watch guard in:ads", user=ADMIN)
    await run_command(slack, "watch editors:creators", user=ADMIN)
    home = await open_home(slack)
    await wait_until_shown(slack, home, "are checked against")
    assert "Stop watching" not in home.everything
    assert "Stop watching" in (await open_home(slack, user=CREATOR)).everything


async def test_past_pictures_are_imported_by_those_who_may_change_the_channel(slack: FakeSlack, app: SlackApp) -> None:
    asked = await run_command(slack, "watch collect in:ads", user=STRANGER)
    await run_command(slack, "watch editors:creators", user=ADMIN)
    told = await run_command(slack, "import here", user=STRANGER)
    assert "Only workspace admins" in told.everything
    await slack.press(asked, "import_history", user=STRANGER)
    refused = await slack.wait_for(lambda m: "Only workspace admins" in m.everything and m is not told)
    assert refused.to == STRANGER
    begun = await run_command(slack, "import here", user=CREATOR)
    assert "Only workspace admins" not in begun.everything


async def test_created_database_binds_no_channel_for_others(slack: FakeSlack, start: Start) -> None:
    app = await start()
    slack.add_person(ADMIN, "admin", is_admin=True)
    await run_command(slack, "watch editors:creators", user=ADMIN)
    shared = await slack.upload(VALVE)
    offer = await slack.wait_for_reply(GENERAL, shared.ts)
    await slack.press(offer, "create_database")
    form = await slack.wait_for_view("create_database_form")
    await slack.submit(form, {"name": "parts"})
    await slack.wait_for(lambda m: "Created the database `parts`" in m.everything)
    assert await binding_of(app) is None


async def test_each_change_is_announced_in_one_line(slack: FakeSlack, app: SlackApp) -> None:
    await run_command(slack, "watch guard in:ads min:9.5 window:30d")
    await run_command(slack, "watch guard")
    home = await open_home(slack)
    await slack.press_in_view(home, "unwatch_channel", about=GENERAL)
    await wait_until_shown(slack, home, "are ignored")
    first, last = announced(slack)
    assert first.startswith(f"<@{SOMEONE}> set what I do with this channel's images: *guard*, `ads`, `min:9.5`.")
    assert "older than 30 days" in first
    assert last.startswith(f"<@{SOMEONE}> turned me off in this channel.")
    assert "\n" not in first + last


async def test_change_stands_where_the_bot_cannot_post(slack: FakeSlack, app: SlackApp) -> None:
    slack.add_channel("C0AWAY", "away", bot_is_member=False)
    answer = await run_command(slack, "watch guard in:ads", channel="C0AWAY")
    assert "`/invite` me" in answer.everything
    assert announced(slack, "C0AWAY") == []
    assert await binding_of(app, "C0AWAY") is not None
