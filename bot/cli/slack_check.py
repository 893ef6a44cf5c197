"""Whether Slack knows our tokens: asked by the doctor, one call each, nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bot.cli.checks import Finding, State
from bot.cli.exits import ExitCode
from bot.config import Settings

TIMEOUT_S = 10

_REMEDY = "Copy the token again from your app's page at api.slack.com/apps, or reinstall the app there."


def slack(settings: Settings) -> Iterator[Finding]:
    """Whether the tokens are set, and Slack takes them."""
    if not settings.slack_bot_token and not settings.slack_app_token:
        yield Finding("Slack", State.NOTE, "no tokens set: the command line works, the bot needs them to start")
        return
    for name, token in (("SLACK_BOT_TOKEN", settings.slack_bot_token), ("SLACK_APP_TOKEN", settings.slack_app_token)):
        if not token:
            remedy = f"Set {name}; .env.example says where Slack shows it."
            yield Finding("Slack", State.WRONG, f"{name} is not set", remedy, ExitCode.SLACK)
    if settings.slack_bot_token:
        yield asyncio.run(_asked("SLACK_BOT_TOKEN", settings.slack_bot_token, settings.slack_api_url))


async def _asked(name: str, token: str, api_url: str) -> Finding:
    from slack_sdk.errors import SlackApiError  # noqa: PLC0415 - slow to load, and most commands do without
    from slack_sdk.web.async_client import AsyncWebClient  # noqa: PLC0415

    client = AsyncWebClient(token, base_url=api_url, timeout=TIMEOUT_S)
    try:
        answer = await asyncio.wait_for(client.auth_test(), TIMEOUT_S)
    except SlackApiError as error:
        reason = str(error.response.get("error", "an unknown error"))
        return Finding("Slack", State.WRONG, f"{name} is refused: {reason}", _REMEDY, ExitCode.SLACK)
    except Exception as error:  # noqa: BLE001 - the client lets aiohttp's, JSON's and the socket's errors through
        remedy = "Check the network, a proxy, and SLACK_API_URL."
        found = f"{api_url} can't be reached ({type(error).__name__})"
        return Finding("Slack", State.WRONG, found, remedy, ExitCode.SLACK)
    return Finding("Slack", State.OK, f"{name} is {answer.get('user')} in {answer.get('team')}")
