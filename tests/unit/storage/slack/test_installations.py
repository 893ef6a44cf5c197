"""Installs with encrypted tokens by workspace and organisation."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.oauth.installation_store import Bot, Installation

from bot.domain.errors import BackendRefused
from bot.storage.slack.installations import SqlInstallations
from bot.storage.slack.token_encryption import TokenCipher
from bot.storage.sql_storage import SqlStorage

SECRET = "a state secret"
TOKEN = "xoxb-not-a-real-token"


@pytest.fixture
def store(storage: SqlStorage) -> SqlInstallations:
    return storage.installations(SECRET)


def installation(team: str | None = "T1", enterprise: str | None = None, **values: Any) -> Installation:
    given = {
        "app_id": "A1",
        "enterprise_id": enterprise,
        "team_id": team,
        "bot_token": TOKEN,
        "bot_id": "B1",
        "bot_user_id": "U0",
        "bot_scopes": "chat:write,files:read",
        "user_id": "U1",
        "is_enterprise_install": team is None,
        "installed_at": 1_767_322_245.25,
        **values,
    }
    return Installation(**given)


async def token(store: SqlInstallations, team: str | None, enterprise: str | None = None, **asked: Any) -> str | None:
    """Return the bot token, and check that both of Bolt's lookups agree."""
    bot = await store.async_find_bot(enterprise_id=enterprise, team_id=team, **asked)
    found = await store.async_find_installation(enterprise_id=enterprise, team_id=team, **asked)
    assert (bot.bot_token if bot else None) == (found.bot_token if found else None)
    return bot.bot_token if bot else None


def bytes_on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_install_round_trip(store: SqlInstallations) -> None:
    made = installation(
        enterprise="E1",
        bot_refresh_token="xoxe-1-refresh",
        bot_token_expires_at=1_767_365_445,
        incoming_webhook_channel_id="C1",
        custom_values={"plan": "é"},
    )
    await store.async_save(made)
    found = await store.async_find_installation(enterprise_id="E1", team_id="T1")
    bot = await store.async_find_bot(enterprise_id="E1", team_id="T1")
    assert found is not None
    assert bot is not None
    assert vars(found) == vars(made)
    assert vars(bot) == vars(made.to_bot())


async def test_tokens_are_returned_only_to_their_workspace(store: SqlInstallations) -> None:
    await store.async_save(installation("T1", bot_token="xoxb-1"))
    await store.async_save(installation("T2", bot_token="xoxb-2"))
    await store.async_save(installation(None, "E1", bot_token="xoxb-org"))
    assert [await token(store, team) for team in ("T1", "T2", "T3", None, "")] == ["xoxb-1", "xoxb-2", None, None, None]
    assert await token(store, "T3", "E2") is None
    assert await token(store, None, None, is_enterprise_install=True) is None
    assert await token(store, None, "E2", is_enterprise_install=True) is None


async def test_organisation_wide_install_serves_all_its_workspaces(store: SqlInstallations) -> None:
    await store.async_save(installation(None, "E1", bot_token="xoxb-org"))
    assert await token(store, None, "E1") == "xoxb-org"
    assert await token(store, "T1", "E1") == "xoxb-org"
    await store.async_save(installation("T1", "E1", bot_token="xoxb-own"))
    assert await token(store, "T1", "E1") == "xoxb-own"
    assert await token(store, "T1", "E1", is_enterprise_install=True) == "xoxb-org"
    assert await token(store, "T2", "E1") == "xoxb-org"
    assert await store.workspaces() == (("E1", ""), ("E1", "T1"))


async def test_organisation_wide_install_made_in_a_workspace_serves_all(store: SqlInstallations) -> None:
    await store.async_save(installation("T1", "E1", is_enterprise_install=True))
    assert await store.workspaces() == (("E1", ""),)
    assert await token(store, "T2", "E1") == TOKEN


async def test_install_of_a_workspace_that_joined_an_organisation_is_replaced(store: SqlInstallations) -> None:
    await store.async_save(installation("T1", bot_token="xoxb-1"))
    assert await token(store, "T1", "E1") == "xoxb-1"
    await store.async_save(installation("T1", "E1", bot_token="xoxb-2"))
    assert await store.workspaces() == (("E1", "T1"),)
    assert await token(store, "T1", None) == "xoxb-2"


async def test_rotated_tokens_replace_the_old_ones(store: SqlInstallations) -> None:
    made = installation(bot_refresh_token="xoxe-1", bot_token_expires_at=1_767_365_445, bot_scopes="chat:write")
    await store.async_save(made)
    bot = made.to_bot()
    bot.bot_token, bot.bot_refresh_token, bot.bot_token_expires_at = "xoxb-new", "xoxe-2", 1_767_408_645
    await store.async_save_bot(bot)
    found = await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="U1")
    assert found is not None
    assert vars(found.to_bot()) == vars(bot)
    assert found.user_id == "U1"
    assert await store.workspaces() == (("", "T1"),)


async def test_saving_a_bot_without_an_install_creates_one(store: SqlInstallations) -> None:
    await store.async_save_bot(Bot(team_id="T1", bot_token=TOKEN, bot_id="B1", bot_user_id="U0", installed_at=1.0))
    assert await token(store, "T1") == TOKEN


async def test_install_is_found_by_the_installing_user_only(store: SqlInstallations) -> None:
    await store.async_save(installation(user_id="U1", user_token="xoxp-1"))
    assert await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="U2") is None
    await store.async_delete_installation(enterprise_id=None, team_id="T1", user_id="U2")
    await store.async_delete_installation(enterprise_id=None, team_id="T1", user_id="U1")
    found = await store.async_find_installation(enterprise_id=None, team_id="T1", user_id="U1")
    assert found is not None
    assert (found.user_token, found.bot_token) == (None, TOKEN)


@pytest.mark.parametrize("way", ["async_delete_bot", "async_delete_installation", "async_delete_all"])
async def test_delete_affects_one_workspace_or_organisation(store: SqlInstallations, way: str) -> None:
    for team, enterprise in (("T1", "E1"), ("T2", "E1"), (None, "E1"), ("T3", None), (None, "E2")):
        await store.async_save(installation(team, enterprise))
    delete = getattr(store, way)
    await delete(enterprise_id=None, team_id="T1")
    await delete(enterprise_id="E1", team_id=None)
    await delete(enterprise_id=None, team_id=None)
    assert await store.workspaces() == (("", "T3"), ("E1", "T2"), ("E2", ""))


async def test_tokens_are_not_stored_in_plain_text(tmp_path: Path) -> None:
    storage = await SqlStorage.open(tmp_path)
    store = storage.installations(SECRET)
    await store.async_save(installation(bot_refresh_token="xoxe-refresh", user_token="xoxp-user"))
    await store.async_save(installation("T2"))
    held = bytes_on_disk(tmp_path)
    await storage.close()
    assert b"T2" in held
    for secret in (TOKEN, "xoxe-refresh", "xoxp-user", SECRET):
        assert secret.encode() not in held


async def test_wrong_secret_is_reported_in_one_sentence(storage: SqlStorage, store: SqlInstallations) -> None:
    await store.async_save(installation())
    for attempt in (
        storage.installations("another").async_find_bot(enterprise_id=None, team_id="T1"),
        storage.installations("another").async_find_installation(enterprise_id=None, team_id="T1"),
    ):
        with pytest.raises(BackendRefused, match="another secret") as caught:
            await attempt
        assert TOKEN not in str(caught.value)
        assert caught.value.__cause__ is None
    # Installing again helps.
    await storage.installations("another").async_save(installation())
    assert await token(storage.installations("another"), "T1") == TOKEN


def test_decryption_needs_the_same_secret() -> None:
    encrypted = TokenCipher("one").encrypt(b"content")
    assert TokenCipher("one").decrypt(encrypted) == b"content"
    assert TokenCipher("one").encrypt(b"content") != encrypted
    # The byte is random: only a changed one is another text.
    changed = encrypted[:20] + (b"B" if encrypted[20:21] == b"A" else b"A") + encrypted[21:]
    for wrong in (encrypted[:-1], changed, b""):
        with pytest.raises(BackendRefused):
            TokenCipher("one").decrypt(wrong)
    with pytest.raises(BackendRefused):
        TokenCipher("two").decrypt(encrypted)
    with pytest.raises(ValueError, match="secret"):
        TokenCipher("")


async def test_rotated_tokens_are_saved_only_in_place_of_the_stored_ones(storage: SqlStorage) -> None:
    now = [datetime(2026, 1, 2, tzinfo=UTC)]
    store = SqlInstallations(storage._database, TokenCipher(SECRET), lambda: now[0])
    made = installation(bot_refresh_token="xoxe-1", bot_token_expires_at=1_767_365_445)
    await store.async_save(made)
    old, new = made.to_bot(), made.to_bot()
    new.bot_token, new.bot_refresh_token = "xoxb-new", "xoxe-2"
    now[0] += timedelta(hours=1)
    assert await store.save_rotated(old, new)
    assert await token(store, "T1") == "xoxb-new"
    assert await store.installed_at("", "T1") == now[0] - timedelta(hours=1)
    # Another process rotated it, or the app was installed again.
    assert not await store.save_rotated(old, new)
    await store.async_delete_all(enterprise_id=None, team_id="T1")
    assert not await store.save_rotated(new, old)
    assert await store.workspaces() == ()


async def test_newer_install_is_not_deleted(storage: SqlStorage) -> None:
    now = [datetime(2026, 1, 2, tzinfo=UTC)]
    store = SqlInstallations(storage._database, TokenCipher(SECRET), lambda: now[0])
    for team, enterprise in (("T1", "E1"), (None, "E1"), ("T2", None)):
        await store.async_save(installation(team, enterprise))
    earlier = now[0] - timedelta(seconds=1)
    assert not await store.delete_until("E1", "T1", earlier)
    assert not await store.delete_until("E1", "", earlier)
    assert await store.delete_until("", "T9", earlier)
    assert await store.delete_until("E1", "", now[0])
    assert await store.workspaces() == (("", "T2"), ("E1", "T1"))
    assert await store.installed_at("E1", "T1") == now[0]
    assert await store.installed_at("E1", "T9") is None


def test_importing_the_storage_does_not_import_slack() -> None:
    script = "import sys, bot.storage.sql_storage; print([name for name in sys.modules if name.startswith('slack')])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
