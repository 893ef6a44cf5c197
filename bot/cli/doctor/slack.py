"""Check the Slack settings, and the tokens with one API call each."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendRefused
from bot.storage.slack.token_encryption import TokenCipher
from bot.storage.sql import sqlite
from handlers.slack.proxies import proxy_for
from handlers.slack.scopes import NEEDED, OPTIONAL, granted_scopes, missing

TIMEOUT_S = 10

_WHERE = ".env.example says where to find it"
_REINSTALL = "Update the app from manifest.yml, reinstall it, and copy the new bot token."
_REMEDY = "Copy the token again from your app's page at api.slack.com/apps, or reinstall the app there."


def slack(settings: Settings) -> Iterator[CheckResult]:
    """Check how Slack's events arrive, which tokens answer them, and whether Slack accepts the tokens."""
    if not any(
        (settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret, _installs(settings))
    ):
        yield CheckResult("Slack", CheckStatus.NOTE, "no tokens set; the bot needs them, the command line doesn't")
        return
    yield _delivery(settings)
    if settings.slack_app_token:
        yield from asyncio.run(_check_token("SLACK_APP_TOKEN", settings.slack_app_token, settings.slack_api_url))
    if settings.slack_bot_token:
        yield from asyncio.run(_check_token("SLACK_BOT_TOKEN", settings.slack_bot_token, settings.slack_api_url))
    elif not settings.many_workspaces:
        remedy = (
            f"Set it, or SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and SLACK_STATE_SECRET for many workspaces; {_WHERE}."
        )
        yield CheckResult("Slack", CheckStatus.WRONG, "SLACK_BOT_TOKEN is not set", remedy, ExitCode.SLACK)
    if settings.many_workspaces:
        yield _installations(settings)


def _installs(settings: Settings) -> bool:
    return bool(settings.slack_client_id or settings.slack_client_secret or settings.slack_state_secret)


def _delivery(settings: Settings) -> CheckResult:
    """Check how Slack's events reach the bot."""
    host, port = settings.listen_address
    if settings.slack_app_token:
        if settings.many_workspaces and settings.port is None:
            return CheckResult(
                "Slack", CheckStatus.NOTE, "Socket Mode; without PORT, other workspaces can't install the app"
            )
        return CheckResult("Slack", CheckStatus.OK, "Socket Mode")
    if settings.slack_signing_secret:
        return CheckResult("Slack", CheckStatus.OK, f"HTTP on {host}:{port}")
    remedy = f"Set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for HTTP; {_WHERE}."
    return CheckResult(
        "Slack", CheckStatus.WRONG, "neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET is set", remedy, ExitCode.SLACK
    )


async def _check_token(name: str, token: str, api_url: str) -> list[CheckResult]:
    client = AsyncWebClient(token, base_url=api_url, timeout=TIMEOUT_S)
    client.proxy = proxy_for(api_url)
    # apps.connections.open returns a WebSocket address, which expires unused.
    method = "apps.connections.open" if name == "SLACK_APP_TOKEN" else "auth.test"
    try:
        answer = await asyncio.wait_for(client.api_call(method), TIMEOUT_S)
    except SlackApiError as error:
        data = error.response.data
        # A proxy may answer with HTML instead of JSON.
        reason = data.get("error") if isinstance(data, dict) else f"status {error.response.status_code}"
        return [CheckResult("Slack", CheckStatus.WRONG, f"Slack refused {name}: {reason}", _REMEDY, ExitCode.SLACK)]
    except Exception as error:  # noqa: BLE001 - the client raises errors of aiohttp, json and socket
        remedy = "Check the network, any proxy, and SLACK_API_URL."
        found = f"{api_url} can't be reached ({type(error).__name__})"
        return [CheckResult("Slack", CheckStatus.WRONG, found, remedy, ExitCode.SLACK)]
    if name == "SLACK_APP_TOKEN":
        return [CheckResult("Slack", CheckStatus.OK, f"Slack accepts {name}")]
    owner = CheckResult("Slack", CheckStatus.OK, f"{name} belongs to {answer.get('user')} in {answer.get('team')}")
    return [owner, *_scopes(granted_scopes(answer))]


def _scopes(granted: frozenset[str] | None) -> Iterator[CheckResult]:
    """Compare the scopes of the bot token with those that the bot needs."""
    for scope, purpose in missing(granted, NEEDED).items():
        found = f"the bot token lacks the scope {scope}, which is needed for this: {purpose}"
        yield CheckResult("Slack", CheckStatus.WRONG, found, _REINSTALL, ExitCode.SLACK)
    for scope, purpose in missing(granted, OPTIONAL).items():
        found = f"the bot token lacks the optional scope {scope}, so this is off: {purpose}"
        yield CheckResult("Slack", CheckStatus.NOTE, found)


def _installations(settings: Settings) -> CheckResult:
    """Check that the stored tokens of all installations can be decrypted."""
    path = Path(str(sqlite.address(settings.data_dir, settings.database_url).database))
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            tokens = [row[0] for row in connection.execute("SELECT sealed FROM installations")]
        finally:
            connection.close()
        for token in tokens:
            TokenCipher(settings.slack_state_secret or "").decrypt(token)
    except sqlite3.Error:
        # There is no file or no table yet. Another check covers a damaged file.
        tokens = []
    except BackendRefused:
        remedy = "Set the former one. If you lost it, see docs/operating.md."
        found = "SLACK_STATE_SECRET is not the one that the stored tokens were encrypted with"
        return CheckResult("Slack", CheckStatus.WRONG, found, remedy, ExitCode.SETTINGS)
    return CheckResult("Slack", CheckStatus.OK, f"{counted(len(tokens), 'installation')} through OAuth")
