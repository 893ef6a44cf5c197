"""App Home: the databases and the channels that are watched."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.app_home import HomeContent, home_view
from handlers.errors import ListenerWrapper
from handlers.parsing.payloads import parse_home
from handlers.parsing.payloads.interactions import ActionRequest
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack_errors import UNREACHABLE, code_of

log = logging.getLogger(__name__)


class HomeListener:
    """Publishes the tab when it is opened, and again when something in it changed."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer, wrapper: ListenerWrapper) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._wrapper = wrapper

    async def on_opened(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Somebody looks at it."""
        opened = parse_home(body)
        if opened is not None and self._wrapper.is_first_delivery(("event", opened.event_id)):
            await self.publish(Requester(opened.workspace, opened.user, client))

    async def publish(self, requester: Requester) -> None:
        """Show the present state to one person, if Slack lets us."""
        backend, problem = await self._answers.backend()
        home = HomeContent(
            databases=await self._dependencies.databases.all(requester.workspace),
            bindings=await self._answers.watched_channels(requester),
            backend=backend,
            problem=problem,
        )
        try:
            await requester.client.views_publish(user_id=requester.user, view=home_view(home))
        except UNREACHABLE as error:
            # What was changed is changed, whether it can be shown or not.
            log.warning(
                "views.publish: %s", code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
            )

    @staticmethod
    def is_home(request: ActionRequest) -> bool:
        """Whether a button was pressed there: neither a message nor a modal has its view type."""
        return request.view_type == "home"
