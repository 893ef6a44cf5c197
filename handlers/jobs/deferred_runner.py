"""Run requests from the inbox: those that another process acknowledged and deferred, mentions, and imports."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.wording.errors import FAILED
from bot.domain.jobs import Job
from handlers.jobs.table_imports import TableImportRunner
from handlers.listeners.commands import requester_of
from handlers.listeners.listener_set import Listeners
from handlers.listeners.mentions import requester_of as requester_of_mention
from handlers.listeners.submitted_modal import SubmittedModal
from handlers.parsing.payloads import decode_request, parse_command, parse_mention, parse_table_share
from handlers.parsing.payloads.interactions import parse_action, parse_shortcut, parse_submission
from handlers.replies.requester import Requester
from handlers.slack.clients import Clients

log = logging.getLogger(__name__)


class DeferredRequestRunner:
    """Calls the listener for a stored delivery. Listeners report errors to the requester and don't raise them."""

    def __init__(self, listeners: Listeners, clients: Clients, imports: TableImportRunner) -> None:
        self._listeners = listeners
        self._clients = clients
        self._imports = imports

    async def run(self, job: Job) -> None:
        """Run the request. A retry after a crash may answer twice but adds nothing twice."""
        body = decode_request(job.payload)
        client = await self._clients.client(job.workspace, job.enterprise)
        if client is None:
            log.info("dropped a request: the app is no longer installed in %s", job.workspace)
            return
        # The process that received the delivery has acknowledged it.
        ack, listeners = _null_ack(), self._listeners
        match body.get("type"):
            case "event_callback":
                if (table := parse_table_share(body, is_stored=True)) is None:
                    await listeners.mentions.on_mention(body, client)
                elif await listeners.mentions.may_command(table.message, client):
                    await self._imports.run(job, table, client)
            case "block_actions":
                await listeners.actions.on_action(ack, body, client)
            case "view_submission":
                await listeners.views.on_submission(ack, body, client, is_answered=True)
            case "shortcut" | "message_action":
                await listeners.shortcuts.on_shortcut(ack, body, client)
            case _:
                await listeners.commands.on_command(ack, body, client)

    async def give_up(self, job: Job) -> None:
        """Tell the requester that the request failed. Raises SlackApiError."""
        client = await self._clients.client(job.workspace, job.enterprise)
        requester = _requester(decode_request(job.payload), client) if client is not None else None
        if requester is not None:
            await requester.reply_sentence(FAILED)


def _null_ack() -> AsyncAck:
    """Return an ack function for a delivery that was acknowledged already."""
    return AsyncAck()  # type: ignore[no-untyped-call] # Bolt's own


def _requester(body: Mapping[str, Any], client: AsyncWebClient) -> Requester | None:
    if pressed := parse_action(body) or parse_shortcut(body):
        return Requester.of(pressed, client)
    if submission := parse_submission(body):
        return SubmittedModal(submission, client, _null_ack(), body).requester
    table = parse_table_share(body, is_stored=True)
    if mention := table.message if table else parse_mention(body):
        return requester_of_mention(mention, client)
    command = parse_command(body)
    return requester_of(command, client) if command else None
