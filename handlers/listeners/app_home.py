"""App Home listener: show one person what they may see of the workspace's databases and channels."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.home.view import home_view
from bot.blocks.limits import Block
from bot.blocks.messages.fallback import without_pictures
from bot.blocks.reply import Reply
from bot.domain.identifiers import WorkspaceId
from handlers.errors import ListenerWrapper
from handlers.home.composer import ComposedHome, HomeComposer
from handlers.parsing.payloads import parse_home
from handlers.parsing.payloads.interactions import ActionRequest
from handlers.replies.answers import AnswerComposer
from handlers.replies.delivery.attempts import BLOCK_ERRORS
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack_errors import UNREACHABLE, code_of, reason_of

log = logging.getLogger(__name__)

SAME_VISIT_S = 5.0
"""Some clients open Home again after each press in it. That is no new visit."""

_CACHE_SIZE = 10_000

_REFUSALS = BLOCK_ERRORS | {"invalid_arguments"}
"""Slack's error codes for a view with blocks that it doesn't take."""


@dataclass(frozen=True, slots=True)
class _Published:
    """A published view: its hash, and whether Slack refused its pictures."""

    hash: str
    refused_pictures: bool = False


class HomeListener:
    """Publishes the Home tab when a user opens it or presses something in it."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer, wrapper: ListenerWrapper) -> None:
        self._dependencies = dependencies
        self._composer = HomeComposer(dependencies, answers)
        self._wrapper = wrapper
        self._locks: MutableMapping[tuple[WorkspaceId, str], asyncio.Lock] = WeakValueDictionary()
        self._pressed: TTLCache[tuple[WorkspaceId, str], bool] = TTLCache(_CACHE_SIZE, SAME_VISIT_S)

    async def on_opened(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Publish the tab for a user who opened it."""
        opened = parse_home(body)
        if opened is not None and self._wrapper.is_first_delivery(("event", opened.event_id)):
            is_visit = (opened.workspace, opened.user) not in self._pressed
            # Without an id, every opening would be the same.
            opening = (opened.event_id or "opened") if is_visit else ""
            await self._publish(Requester(opened.workspace, opened.user, client), opening)

    async def publish(self, requester: Requester) -> None:
        """Publish the current state for one user. Log a failure instead of raising it."""
        self.note_press(requester)
        await self._publish(requester)

    def note_press(self, requester: Requester) -> None:
        """Note that somebody pressed something, which is no new visit if their client opens Home again."""
        self._pressed[requester.workspace, requester.user] = True

    @asynccontextmanager
    async def refreshed(self, request: ActionRequest, requester: Requester) -> AsyncIterator[None]:
        """Publish Home after a press in it, also if the press failed: then Home may have been out of date."""
        self.note_press(requester)
        try:
            yield
        finally:
            if self.is_home(request):
                await self.publish(requester)

    @staticmethod
    def is_home(request: ActionRequest) -> bool:
        """Return whether a button was pressed in App Home."""
        return request.view_type == "home"

    async def _publish(self, requester: Requester, opening: str = "") -> None:
        """Publish Home, and once more if pictures had to be uploaded or could not be shown."""
        person = (requester.workspace, requester.user)
        # One at a time, so that an older state never follows a newer one.
        async with self._locks.setdefault(person, asyncio.Lock()):
            home = await self._composer.compose(requester, opening)
            published = await self._send(requester, home)
            if published is None:
                return
            if home.visit is not None:
                await self._dependencies.home.record_visit(*person, home.visit)
        if home.lacks_pictures or published.refused_pictures:
            complete = await self._composer.with_all_pictures(requester, home)
            if complete.content.pictures != home.content.pictures:
                await self._send(requester, complete, published.hash)

    async def _send(self, requester: Requester, home: ComposedHome, view_hash: str = "") -> _Published | None:
        """Publish, without pictures if Slack refuses them. Return None if Slack didn't take it.

        With a hash, nothing newer is replaced.
        """
        blocks = home_view(home.content)["blocks"]
        try:
            return _Published(await _views_publish(requester, blocks, view_hash))
        except SlackApiError as error:
            lighter = without_pictures(blocks)
            if code_of(error) not in _REFUSALS or list(lighter) == blocks:
                _log(error)
                return None
            log.warning("Slack refused App Home (%s): publishing it without pictures", code_of(error))
        except UNREACHABLE as error:
            _log(error)
            return None
        try:
            published = _Published(await _views_publish(requester, lighter, view_hash), refused_pictures=True)
        except UNREACHABLE as error:
            _log(error)
            return None
        await self._dependencies.presenter.check_pictures(requester.as_reader, Reply("", tuple(blocks)))
        return published


async def _views_publish(requester: Requester, blocks: Sequence[Block], view_hash: str) -> str:
    """Publish the blocks, and return the hash of the new view. Raises UNREACHABLE."""
    known = {"hash": view_hash} if view_hash else {}
    view = {"type": "home", "blocks": list(blocks)}
    answer = await requester.client.views_publish(user_id=requester.user, view=view, **known)
    return str((answer.get("view") or {}).get("hash") or "")


def _log(error: Exception) -> None:
    # The user's change was made, so a failure to show it isn't an error of the request. A newer Home may be there.
    reason = reason_of(error)
    log.log(logging.DEBUG if reason == "hash_conflict" else logging.WARNING, "views.publish: %s", reason)
