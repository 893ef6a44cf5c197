"""Shortcut listener, for message shortcuts (on any message, also old ones and in threads) and the global shortcut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.ids import ShortcutId
from bot.blocks.messages.notices import no_database_reply
from bot.blocks.wording.help import UNKNOWN_SHORTCUT
from bot.blocks.wording.images import NO_IMAGE_IN_MESSAGE
from bot.domain.errors import InvalidInput
from bot.services.search.lookup import NoDatabase, SeveralDatabases
from bot.telemetry.metrics import Metrics
from handlers.errors import report_errors, with_progress
from handlers.inbox.deferred_requests import RequestDeferral
from handlers.inbox.share import MATCHES_SHOWN, file_search
from handlers.modals.forms import ModalOpener
from handlers.parsing.payloads.interactions import ShortcutRequest, parse_shortcut
from handlers.replies.answers import AnswerComposer
from handlers.replies.requester import Requester


class ShortcutListener:
    """Handles shortcuts."""

    def __init__(
        self, answers: AnswerComposer, forms: ModalOpener, deferral: RequestDeferral, metrics: Metrics
    ) -> None:
        self._answers = answers
        self._forms = forms
        self._deferral = deferral
        self._metrics = metrics

    async def on_shortcut(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Acknowledge and handle any shortcut of the manifest."""
        await ack()
        request = parse_shortcut(body)
        if request is None:
            return
        requester = Requester.of(request, client)
        async with report_errors(requester.reply_sentence, self._metrics):
            if request.callback_id == ShortcutId.SEARCH_BY_IMAGE:
                await self._forms.open_search(requester, request.trigger_id)
                return
            if request.callback_id not in {ShortcutId.ADD_TO_DATABASE, ShortcutId.FIND_SIMILAR}:
                raise InvalidInput(UNKNOWN_SHORTCUT)
            if not request.files:
                raise InvalidInput(NO_IMAGE_IN_MESSAGE)
            if request.callback_id == ShortcutId.ADD_TO_DATABASE:
                await self._forms.open_add(requester, request.trigger_id, _states(request, ""))
                return
            await with_progress(self._find(request, requester, body), requester.reply_sentence)

    async def _find(self, request: ShortcutRequest, requester: Requester, body: Mapping[str, Any]) -> None:
        try:
            key = await self._answers.database(requester, None)
        except NoDatabase:
            await requester.reply_privately(no_database_reply(request.channel))
        except SeveralDatabases:
            # A shortcut has no text that could name a database, so ask in a modal.
            await self._forms.open_another_database(requester, request.trigger_id, _states(request, ""))
        else:
            if await self._deferral.defer(body, requester.reply_sentence):
                return
            states = _states(request, key.name)
            await requester.reply_privately(await self._answers.search(requester, requester.as_reader, states))


def _states(request: ShortcutRequest, database: str) -> list[SearchState]:
    place = SearchState(
        channel=request.channel,
        message=request.message_ts,
        thread=request.thread_ts,
        database=database,
        top=MATCHES_SHOWN,
    )
    found = [file_search(file) for file in request.files]
    return [replace(place, file=one.file, url=one.url, name=one.name) for one in found]
