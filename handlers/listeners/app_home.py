"""App Home listener: show the workspace's databases and channel settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.app_home import HomeContent, home_view
from handlers.errors import ListenerWrapper
from handlers.parsing.payloads import parse_home
from handlers.parsing.payloads.interactions import ActionRequest
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)


class HomeListener:
    """Publishes the Home tab when a user opens it or changes something in it."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer, wrapper: ListenerWrapper) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._wrapper = wrapper

    async def on_opened(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Publish the tab for a user who opened it."""
        opened = parse_home(body)
        if opened is not None and self._wrapper.is_first_delivery(("event", opened.event_id)):
            await self.publish(Requester(opened.workspace, opened.user, client))

    async def publish(self, requester: Requester) -> None:
        """Publish the current state for one user. Log a failure instead of raising it."""
        backend, problem = await self._answers.backend()
        databases = await self._answers.sized_databases(requester)
        home = HomeContent(
            databases=databases,
            changeable=await self._answers.changeable(requester, databases),
            bindings=await self._answers.watched_channels(requester),
            backend=backend,
            problem=problem,
        )
        try:
            await requester.client.views_publish(user_id=requester.user, view=home_view(home))
        except UNREACHABLE as error:
            # The user's change was made, so a failure to show it isn't an error of the request.
            log.warning("views.publish: %s", reason_of(error))

    @staticmethod
    def is_home(request: ActionRequest) -> bool:
        """Return whether a button was pressed in App Home."""
        return request.view_type == "home"
