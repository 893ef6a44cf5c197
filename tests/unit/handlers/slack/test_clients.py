"""The token for each workspace, and retries of Web API calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore

from bot.domain.errors import RetryLater
from bot.domain.identifiers import WorkspaceId
from handlers.slack.clients import CombinedClients, SingleWorkspaceClients, web_client
from handlers.slack.installed_workspaces import InstalledClients
from tests.fakes.slack import GENERAL, FakeSlack

NOWHERE = "http://127.0.0.1:9/api/"
OURS = AuthorizeResult(enterprise_id="E1", team_id="T1", bot_user_id="U1", bot_id="B1", bot_token="xoxb-1")


def bot_of(team: str | None, enterprise: str | None = None, **more: object) -> Bot:
    about = {"bot_token": f"xoxb-{team or enterprise}", "bot_id": "B", "bot_user_id": "U", "installed_at": time.time()}
    return Bot(**{**about, "team_id": team, "enterprise_id": enterprise, **more})  # type: ignore[arg-type]


class MemoryInstallations(AsyncInstallationStore):
    """Stores bots by enterprise and team. Look-ups wait while ``gate`` is closed."""

    def __init__(self, *bots: Bot) -> None:
        self.bots = {(bot.enterprise_id, bot.team_id): bot for bot in bots}
        self.asked: list[tuple[str | None, str | None]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        self.asked.append((enterprise_id, team_id))
        found = self.bots.get((enterprise_id, None if is_enterprise_install else team_id))
        found = found or self.bots.get((enterprise_id, None))
        await self.gate.wait()
        return found

    async def async_save_bot(self, bot: Bot) -> None:
        self.bots[bot.enterprise_id, bot.team_id] = bot

    async def save_rotated(self, old: Bot, new: Bot) -> bool:
        is_stored = (old.enterprise_id, old.team_id) in self.bots
        if is_stored:
            self.bots[new.enterprise_id, new.team_id] = new
        return is_stored


def installed(store: MemoryInstallations, url: str = NOWHERE) -> InstalledClients:
    return InstalledClients(store, "1.2", "fake-client-secret", url)


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


@pytest.mark.parametrize(
    ("enterprise", "team", "of_all", "ours"),
    [
        (None, "T1", False, True),
        ("E1", "T1", False, True),
        (None, None, False, True),
        (None, "T2", False, False),
        ("E1", None, True, True),
        ("E2", None, True, False),
    ],
)
async def test_settings_token_is_used_for_its_own_workspace(
    enterprise: str | None, team: str | None, of_all: bool, ours: bool
) -> None:
    found = await SingleWorkspaceClients(OURS, NOWHERE).authorize(enterprise, team, is_enterprise_install=of_all)
    assert found == (OURS if ours else None)


async def test_settings_token_has_one_client() -> None:
    one = SingleWorkspaceClients(OURS, NOWHERE)
    client = await one.client(WorkspaceId("T1"), "")
    assert client is not None
    assert client.token == "xoxb-1"
    assert await one.client(WorkspaceId("T1"), "E1") is client
    assert await one.client(WorkspaceId("T2"), "") is None
    one.forget(WorkspaceId("T1"), "")
    assert await one.client(WorkspaceId("T1"), "") is client


async def test_first_clients_with_a_token_are_used() -> None:
    store = MemoryInstallations(bot_of("T1"), bot_of("T2"), bot_of(None, "E1", is_enterprise_install=True))
    several = CombinedClients([SingleWorkspaceClients(OURS, NOWHERE), installed(store)])
    tokens = {}
    for team in ("T1", "T2", "T3"):
        found = await several.authorize(None, team)
        client = await several.client(WorkspaceId(team), "")
        tokens[team] = (found.bot_token if found else None, client.token if client else None)
    assert tokens == {"T1": ("xoxb-1",) * 2, "T2": ("xoxb-T2",) * 2, "T3": (None, None)}
    # The organisation's installation wins, although one of its workspaces has a token in the settings.
    whole = await several.authorize("E1", None, is_enterprise_install=True)
    assert whole is not None
    assert whole.bot_token == "xoxb-E1"


async def test_installation_is_cached_until_it_changes() -> None:
    store = MemoryInstallations(bot_of("T1"), bot_of("T2"), bot_of(None, "E1"))
    clients = installed(store)
    for _ in range(3):
        for enterprise, team in ((None, "T1"), (None, "T2"), ("E1", "T8"), ("E1", "T9")):
            assert await clients.authorize(enterprise, team)
    assert len(store.asked) == 4
    clients.forget(WorkspaceId("T1"), "")
    await clients.authorize(None, "T1")
    await clients.authorize(None, "T2")
    assert store.asked[4:] == [(None, "T1")]
    clients.forget(WorkspaceId(""), "E1")
    store.bots.pop(("E1", None))
    assert await clients.authorize("E1", "T8") is None
    assert await clients.client(WorkspaceId("T9"), "E1") is None


async def test_absent_installation_is_not_cached() -> None:
    store = MemoryInstallations()
    clients = installed(store)
    assert await clients.authorize(None, "T1") is None
    await store.async_save_bot(bot_of("T1"))
    assert await clients.authorize(None, "T1")


async def test_result_read_before_an_uninstall_is_not_cached() -> None:
    store = MemoryInstallations(bot_of("T1"))
    clients = installed(store)
    store.gate.clear()
    reading = asyncio.create_task(clients.authorize(None, "T1"))
    await asyncio.sleep(0)
    store.bots.clear()
    clients.forget(WorkspaceId("T1"), "")
    store.gate.set()
    await reading
    assert await clients.authorize(None, "T1") is None


@pytest.mark.parametrize(("left_s", "is_good"), [(7000, True), (30, False), (-5, False)])
async def test_failed_rotation_is_tolerated_while_the_token_is_valid(left_s: int, is_good: bool) -> None:
    bot = bot_of("T1", bot_refresh_token="xoxe-1-r", bot_token_expires_at=int(time.time()) + left_s)
    clients = installed(MemoryInstallations(bot))
    if is_good:
        found = await clients.authorize(None, "T1")
        assert found is not None
        assert found.bot_token == "xoxb-T1"
    else:
        with pytest.raises(RetryLater, match="would not rotate"):
            await clients.authorize(None, "T1")


async def test_close_waits_for_a_running_rotation(slack: FakeSlack) -> None:
    refresh = "xoxe-1-r"
    bot = bot_of("T1", bot_refresh_token=refresh, bot_token_expires_at=int(time.time()) + 3600)
    store = MemoryInstallations(bot)
    slack.add_workspace("T1", "One")
    slack.oauth.refresh_tokens[refresh] = slack.oauth.codes.pop(slack.oauth.code(slack.state.workspace("T1"), "U1"))
    slack.oauth.expires_in = 43_200
    clients = installed(store, slack.api_url)
    asking = asyncio.create_task(clients.authorize(None, "T1"))
    await asyncio.sleep(0.001)
    asking.cancel()
    await clients.close()
    assert store.bots[None, "T1"].bot_token == slack.state.workspace("T1").bot_token


async def test_only_idempotent_calls_are_retried(slack: FakeSlack) -> None:
    client = web_client(slack.state.bot_token, slack.api_url)
    slack.break_next("auth.test")
    assert (await client.auth_test())["team_id"] == slack.state.team
    slack.lose_next_answer("chat.postMessage")
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=GENERAL, text="once")
    assert [message.text for message in slack.transcript] == ["once"]
    assert len(slack.calls("chat.postMessage")) == 1


async def test_rate_limited_calls_are_retried(slack: FakeSlack) -> None:
    client = web_client(slack.state.bot_token, slack.api_url)
    slack.rate_limit("chat.postMessage", next_calls=1, retry_after_s=0)
    await client.chat_postMessage(channel=GENERAL, text="once")
    assert [message.text for message in slack.transcript] == ["once"]
