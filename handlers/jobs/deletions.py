"""Run deletion jobs: remove what came from a deleted file, message or channel, or from the unsharing of a file."""

from __future__ import annotations

import logging
from dataclasses import replace

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.mrkdwn import count_images
from bot.domain.errors import RetryLater
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job, Unsharing
from bot.services.maintenance.removal import RemovalService
from handlers.parsing.payloads import (
    FileShares,
    SlackDeletion,
    UnreadablePayload,
    decode_deletion,
    parse_shares,
    shows_file,
)
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.clients import Clients
from handlers.slack.messages import read_message
from handlers.slack_errors import UNREACHABLE, code_of, retry_later

log = logging.getLogger(__name__)


class DeletionRunner:
    """Runs jobs of kind FORGET. Each may run again after a crash."""

    def __init__(self, removal: RemovalService, clients: Clients, uploads: ThumbnailUploads) -> None:
        self._removal = removal
        self._clients = clients
        self._uploads = uploads

    async def run(self, job: Job) -> None:
        """Remove the origins that a deletion in Slack is about. Any error makes the worker retry it."""
        deletion = decode_deletion(job.payload)
        if deletion is None:
            raise UnreadablePayload(f"job {job.id} has an unreadable payload")
        removed = await self._remove(job, deletion)
        if not removed:
            return
        log.info("removed %s deleted in Slack", count_images(removed))
        if client := await self._clients.client(job.workspace, job.enterprise):
            await self._uploads.sweep(job.workspace, client)

    async def _remove(self, job: Job, deletion: SlackDeletion) -> int:
        workspace = deletion.workspace
        if deletion.unshared:
            client = await self._clients.client(workspace, deletion.enterprise)
            # Without an installation, Slack can't be asked where the file is still shared.
            shares = await _shares(deletion.file, client) if client else FileShares()
            moment = deletion.event_time or job.created_at.timestamp()
            unsharing = Unsharing(deletion.file, moment, deletion.channel, shares.messages, shares.channels)
            if client and (shares.messages or shares.channels):
                unsharing = await self._without_forwards(workspace, unsharing, client)
            return await self._removal.remove_unshared(job.id, workspace, unsharing)
        if deletion.file:
            await self._uploads.deleted(workspace, deletion.file)
            return await self._removal.remove_file(workspace, deletion.file)
        if deletion.message:
            return await self._removal.remove_message(workspace, deletion.channel, deletion.message)
        return await self._removal.remove_channel(workspace, deletion.channel)

    async def _without_forwards(
        self, workspace: WorkspaceId, unsharing: Unsharing, client: AsyncWebClient
    ) -> Unsharing:
        """Return the unsharing without messages that forward another message with the file. Raises RetryLater.

        Slack doesn't count these as shares, but goes on to show the file there while it is shared anywhere.
        """
        ended = [place for place in await self._removal.shares_of(workspace, unsharing) if unsharing.ends(*place)]
        kept = [place for place in ended if shows_file(await read_message(client, *place), unsharing.file)]
        return replace(unsharing, messages=frozenset([*unsharing.messages, *kept]))


async def _shares(file: str, client: AsyncWebClient) -> FileShares:
    """Return where Slack says that the file is shared. Raises RetryLater."""
    try:
        answer = await client.files_info(file=file)
    except SlackApiError as error:
        if code_of(error) in {"file_not_found", "file_deleted"}:
            # The bot sees a file while it is shared in one of the bot's conversations.
            return FileShares()
        raise retry_later(error) or RetryLater(f"Slack refused ({code_of(error)})") from error
    except UNREACHABLE as error:
        raise RetryLater(f"Slack can't be reached ({type(error).__name__})") from error
    return parse_shares(answer.get("file"))
