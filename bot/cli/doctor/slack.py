"""Whether the bot could start, and Slack knows its tokens: asked by the doctor, one call each, nothing changed."""

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

TIMEOUT_S = 10

_WHERE = ".env.example says where Slack shows it"
_REMEDY = "Copy the token again from your app's page at api.slack.com/apps, or reinstall the app there."


def slack(settings: Settings) -> Iterator[CheckResult]:
    """Whether the settings say how Slack's deliveries come and whose tokens answer, and Slack takes the tokens."""
    if not any(
        (settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret, _installs(settings))
    ):
        yield CheckResult(
            "Slack", CheckStatus.NOTE, "no tokens set: the command line works, the bot needs them to start"
        )
        return
    yield _delivery(settings)
    if settings.slack_app_token:
        yield asyncio.run(_check_token("SLACK_APP_TOKEN", settings.slack_app_token, settings.slack_api_url))
    if settings.slack_bot_token:
        yield asyncio.run(_check_token("SLACK_BOT_TOKEN", settings.slack_bot_token, settings.slack_api_url))
    elif not settings.many_workspaces:
        remedy = f"Set it, or for many workspaces SLACK_CLIENT_ID and its companions; {_WHERE}."
        yield CheckResult("Slack", CheckStatus.WRONG, "SLACK_BOT_TOKEN is not set", remedy, ExitCode.SLACK)
    if settings.many_workspaces:
        yield _installations(settings)


def _installs(settings: Settings) -> bool:
    return bool(settings.slack_client_id or settings.slack_client_secret or settings.slack_state_secret)


def _delivery(settings: Settings) -> CheckResult:
    """How Slack reaches the bot."""
    host, port = settings.listen_address
    if settings.slack_app_token:
        if settings.many_workspaces and settings.port is None:
            return CheckResult(
                "Slack", CheckStatus.NOTE, "Socket Mode; without PORT nobody can install the app elsewhere"
            )
        return CheckResult("Slack", CheckStatus.OK, "Socket Mode")
    if settings.slack_signing_secret:
        return CheckResult("Slack", CheckStatus.OK, f"HTTP on {host}:{port}")
    remedy = f"Set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for HTTP; {_WHERE}."
    return CheckResult("Slack", CheckStatus.WRONG, "no way for Slack to reach the bot is set", remedy, ExitCode.SLACK)


async def _check_token(name: str, token: str, api_url: str) -> CheckResult:
    client = AsyncWebClient(token, base_url=api_url, timeout=TIMEOUT_S)
    # The one asks for an address to connect to, which runs out by itself.
    method = "apps.connections.open" if name == "SLACK_APP_TOKEN" else "auth.test"
    try:
        answer = await asyncio.wait_for(client.api_call(method), TIMEOUT_S)
    except SlackApiError as error:
        data = error.response.data
        # A proxy's page is no JSON.
        reason = data.get("error") if isinstance(data, dict) else f"status {error.response.status_code}"
        return CheckResult("Slack", CheckStatus.WRONG, f"{name} is refused: {reason}", _REMEDY, ExitCode.SLACK)
    except Exception as error:  # noqa: BLE001 - the client lets aiohttp's, JSON's and the socket's errors through
        remedy = "Check the network, a proxy, and SLACK_API_URL."
        found = f"{api_url} can't be reached ({type(error).__name__})"
        return CheckResult("Slack", CheckStatus.WRONG, found, remedy, ExitCode.SLACK)
    if name == "SLACK_APP_TOKEN":
        return CheckResult("Slack", CheckStatus.OK, f"{name} is known")
    return CheckResult("Slack", CheckStatus.OK, f"{name} is {answer.get('user')} in {answer.get('team')}")


def _installations(settings: Settings) -> CheckResult:
    """How many there are, and whether their tokens can be opened."""
    path = Path(str(sqlite.address(settings.data_dir, settings.database_url).database))
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            sealed = [row[0] for row in connection.execute("SELECT sealed FROM installations")]
        finally:
            connection.close()
        for one in sealed:
            TokenCipher(settings.slack_state_secret or "").decrypt(one)
    except sqlite3.Error:
        # No file or no table yet; whether the file is whole is another check's business.
        sealed = []
    except BackendRefused:
        remedy = "Set the former one; if it is lost, docs/operating.md says what to do."
        found = "SLACK_STATE_SECRET is not the one that the stored tokens were encrypted with"
        return CheckResult("Slack", CheckStatus.WRONG, found, remedy, ExitCode.SETTINGS)
    return CheckResult("Slack", CheckStatus.OK, f"installed {counted(len(sealed), 'time')} through OAuth")
