"""Compares the picture that was searched with, with a match: in a modal, or in the conversation where there is none."""

from __future__ import annotations

import logging

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError

from bot.blocks.button_state import CompareState
from bot.blocks.messages.comparison import (
    comparison_reply,
    comparison_view,
    failed_view,
    waiting_view,
    without_image,
)
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef
from bot.blocks.reply import Reply
from bot.blocks.wording.comparison import ASKED_HIDDEN, sentence
from bot.domain.errors import BackendError, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack_errors import code_of

log = logging.getLogger(__name__)

SHOWN_FOR_S = 240.0
"""How long one publication of a comparison is shown again. Signed links last five minutes, uploads an hour."""

MAX_SHOWN = 1000


class ComparisonComposer:
    """Composes comparisons for whoever may see both pictures."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._shown: TTLCache[tuple[WorkspaceId, str, str], PictureRef] = TTLCache(MAX_SHOWN, SHOWN_FOR_S)

    async def open(self, requester: Requester, trigger_id: str) -> str:
        """Open the modal and return its id; empty where that fails. Slack takes a trigger for three seconds."""
        if not trigger_id:
            return ""
        try:
            opened = await requester.client.views_open(trigger_id=trigger_id, view=waiting_view())
        except SlackApiError as error:
            log.info("views.open: %s; the comparison goes into the conversation", code_of(error))
            return ""
        return str((opened.get("view") or {}).get("id") or "")

    async def show(self, requester: Requester, view_id: str, reply: Reply) -> None:
        """Show a comparison in its modal, or to the person alone in the conversation."""
        if not view_id:
            await requester.reply_privately(reply)
            return
        try:
            await self._update(requester, view_id, comparison_view(reply))
        except SlackApiError as error:
            log.warning("views.update with a picture: %s", code_of(error))
            await self._update(requester, view_id, comparison_view(without_image(reply)))

    async def say(self, requester: Requester, view_id: str, text: str) -> None:
        """Say in the modal, or in the conversation, why there is no comparison."""
        if view_id:
            await self._update(requester, view_id, failed_view(text))
        else:
            await requester.reply_sentence(text)

    async def compare(self, requester: Requester, state: CompareState) -> Reply:
        """Return the comparison. Raises UserError if the person may not see a picture, or one is gone."""
        key = DatabaseKey(requester.workspace, DatabaseName(state.database))
        shown = (await self._answers.seen_image(requester, key, DataId(state.image))).shown
        await self._check_asked(requester, state)
        finder = self._dependencies.finder
        asked, found = await self._dependencies.comparisons.compare(
            shown, lambda: finder.picture(state.search, requester.client), lambda: finder.stored(shown.digest)
        )
        # Deletions and changes of channels count up to the moment at which the picture is shown.
        shown = (await self._answers.seen_image(requester, key, DataId(state.image))).shown
        published = requester.workspace, asked.digest, shown.digest
        picture = self._shown.get(published) or await self._published(requester, found.jpeg, shown.digest)
        if picture != NO_PICTURE:
            self._shown[published] = picture
        return comparison_reply(shown, sentence(found.facts), picture)

    async def _check_asked(self, requester: Requester, state: CompareState) -> None:
        """Raise UserError unless the person may see the picture that was searched with.

        Whoever sees the answer in its own conversation has seen the picture. Readers of an answer that was shared
        elsewhere may not have.
        """
        if not state.channel or state.channel == requester.channel:
            return
        if not await self._answers.directory(requester).readable([state.channel], requester.user):
            raise UserError(ASKED_HIDDEN)

    async def _published(self, requester: Requester, jpeg: bytes, stored: str) -> PictureRef:
        if self._dependencies.publish is None:
            uploads = self._dependencies.uploads
            file = await uploads.show_for_an_hour(requester.workspace, requester.client, jpeg, picture=stored)
            return PictureRef(slack_file=file) if file else NO_PICTURE
        try:
            return PictureRef(url=await self._dependencies.publish(jpeg, stored))
        except BackendError as error:
            log.warning("a comparison could not be published: %s", error)
            return NO_PICTURE

    async def _update(self, requester: Requester, view_id: str, view: dict[str, object]) -> None:
        try:
            await requester.client.views_update(view_id=view_id, view=view)
        except SlackApiError as error:
            if code_of(error) in {"not_found", "view_not_found"}:
                log.info("the modal of a comparison was closed before it was there")
                return
            raise
