"""App Home: the databases and the channels that are watched."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.home import Home, home_view
from handlers.answers import Answers
from handlers.asking import Asker
from handlers.desk import Desk
from handlers.failures import UNREACHABLE, code_of
from handlers.guard import Guard
from handlers.interactions import ActionRequest
from handlers.payloads import parse_home

log = logging.getLogger(__name__)


class HomeListener:
    """Publishes the tab when it is opened, and again when something in it changed."""

    def __init__(self, desk: Desk, answers: Answers, guard: Guard) -> None:
        self._desk = desk
        self._answers = answers
        self._guard = guard

    async def on_opened(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Somebody looks at it."""
        opened = parse_home(body)
        if opened is not None and self._guard.first_time(("event", opened.event_id)):
            await self.publish(Asker(opened.workspace, opened.user, client))

    async def publish(self, asker: Asker) -> None:
        """Show the present state to one person, if Slack lets us."""
        backend, problem = await self._answers.backend()
        home = Home(
            databases=await self._desk.databases.all(asker.workspace),
            bindings=await self._answers.watched(asker),
            backend=backend,
            problem=problem,
        )
        try:
            await asker.client.views_publish(user_id=asker.user, view=home_view(home))
        except UNREACHABLE as error:
            # What was changed is changed, whether it can be shown or not.
            log.warning(
                "views.publish: %s", code_of(error) if isinstance(error, SlackApiError) else type(error).__name__
            )

    @staticmethod
    def is_home(request: ActionRequest) -> bool:
        """Whether a button was pressed there: neither a message nor a modal has its view type."""
        return request.view_type == "home"
