"""A client of the fake of Slack, for tests of what the handlers send."""

from __future__ import annotations

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from handlers.slack.clients import web_client
from tests.fakes.slack import FakeSlack


@pytest.fixture
def client(slack: FakeSlack) -> AsyncWebClient:
    """Return a client with the bot's token."""
    return web_client(slack.state.bot_token, slack.api_url)
