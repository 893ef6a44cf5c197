"""A late or repeated uninstall does not touch an installation that is newer than the event."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.domain.identifiers import WorkspaceId
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.payloads import event_body
from tests.fakes.slack.values import Json
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.web_bot import (
    STATE_SECRET,
    WebBot,
    databases,
    install,
    oauth_settings,
    stock,
    wait_until_forgotten,
    web_bot,
)

VALVE = encoded(photo(640, 480, seed=1), "PNG")
ONE, GRID, EAST, WEST = "T0ONE", "E0GRID", "T0EAST", "T0WEST"

EVENTS = [{"type": "app_uninstalled"}, {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0BOT"]}}]
events = pytest.mark.parametrize("event", EVENTS, ids=["app_uninstalled", "tokens_revoked"])


@pytest.fixture
async def bot(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[WebBot]:
    slack.add_workspace(ONE, "One")
    slack.add_channel("C0ONE", "general", team=ONE)
    for team in (EAST, WEST):
        slack.add_workspace(team, team, bot_user="U0GRIDBOT", enterprise=GRID)
        slack.add_channel(f"C{team}", "general", team=team)
    async with web_bot(slack, tmp_path, **oauth_settings(slack)) as running:
        await install(slack, running.browser, ONE)
        await install(slack, running.browser, EAST, for_organisation=True)
        yield running


async def deliver(slack: FakeSlack, event: Json, team: str, *, age_s: float) -> None:
    body = event_body(slack.state, slack.state.workspace(team), event)
    await slack.deliver("events_api", body | {"event_time": int(time.time() - age_s)})


async def installed(bot: WebBot) -> set[tuple[str, str]]:
    return set(await bot.app.services.storage.installations(STATE_SECRET).workspaces())


@events
@pytest.mark.parametrize("age_s", [10, 86_400])
async def test_late_event_leaves_a_newer_installation(slack: FakeSlack, bot: WebBot, event: Json, age_s: float) -> None:
    await stock(bot.app, ONE, "parts", valve_0042=VALVE)
    await deliver(slack, event, ONE, age_s=age_s)
    await wait_until_forgotten(bot)
    assert await databases(bot, ONE) == ["parts"]
    assert ("", ONE) in await installed(bot)


@events
async def test_late_event_leaves_a_newer_installation_in_an_organisation(
    slack: FakeSlack, bot: WebBot, event: Json
) -> None:
    for team in (EAST, WEST):
        await bot.app.services.storage.catalogue.record_workspace(WorkspaceId(team), GRID)
        await stock(bot.app, team, "parts", valve_0042=VALVE)
    await deliver(slack, event, EAST, age_s=60)
    await deliver(slack, {"type": "team_access_revoked", "team_ids": [WEST]}, EAST, age_s=60)
    await wait_until_forgotten(bot)
    assert (await databases(bot, EAST), await databases(bot, WEST)) == (["parts"], ["parts"])
    assert (GRID, "") in await installed(bot)


@events
async def test_event_that_seems_late_counts_if_the_token_is_dead(slack: FakeSlack, bot: WebBot, event: Json) -> None:
    """Our clock is ahead of Slack's."""
    await stock(bot.app, ONE, "parts", valve_0042=VALVE)
    await stock(bot.app, EAST, "parts", valve_0042=VALVE)
    slack.expire_token(team=ONE)
    await deliver(slack, event, ONE, age_s=600)
    await wait_until_forgotten(bot, ONE)
    assert await databases(bot, ONE) == []
    assert await databases(bot, EAST) == ["parts"]
    assert ("", ONE) not in await installed(bot)
