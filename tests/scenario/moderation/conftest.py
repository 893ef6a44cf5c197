"""Fixtures of scenarios about reports."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import GuardRules
from tests.fakes.slack import FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.moderation.reposts import (
    ADMIN,
    COPYCAT,
    MOD,
    MODS,
    guard,
    posted,
)
from tests.scenario.support.shares import ORIGINAL


@pytest.fixture
async def app(slack: FakeSlack, start: Start) -> SlackApp:
    """A guard channel with an image, and reports that go to a channel for moderators."""
    app = await start()
    await fill(app, "ads")
    slack.add_channel(MODS, "mods", members=[MOD, "U0SECOND"])
    slack.add_person(ADMIN, "admin", is_admin=True)
    slack.add_person(COPYCAT, "copycat")
    await posted(app, ORIGINAL)
    await guard(app, GuardRules(report_to=MODS))
    return app
