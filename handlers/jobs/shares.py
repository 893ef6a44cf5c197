"""Run share jobs: look up, collect or guard the images, and answer once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.messages.notices import cannot_post_reply, no_database_reply, several_databases_reply
from bot.blocks.reply import Reply, notice, with_marker
from bot.blocks.wording.errors import FAILED, SLACK_BUSY, STILL_RETRYING
from bot.domain.channels import ChannelKind, ChannelMode
from bot.domain.errors import (
    BackendError,
    BackendRefused,
    FetchRefused,
    InvalidInput,
    RetryLater,
    UnknownDatabase,
    UserError,
)
from bot.domain.identifiers import DatabaseKey
from bot.domain.jobs import Job
from bot.domain.pictures import Picture
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.search.lookup import LookupService, NoDatabase, SeveralDatabases
from bot.services.search.search import DEFAULT_MINIMUM
from bot.storage.ports.inbox import Inbox
from handlers.inbox.share import MATCHES_SHOWN, Share, UnresolvedFile, retry_first_attempts
from handlers.jobs.collector import ShareCollector
from handlers.parsing.grammar import Modifiers, modifiers_of
from handlers.parsing.payloads import ImageShare, SharedFile, decode_share
from handlers.replies import delivery
from handlers.replies.picture_lookup import MAX_MATCHES
from handlers.replies.presenter import AnswerPresenter, AnswerReader
from handlers.slack.clients import Clients
from handlers.slack.directory import DirectoryCache
from handlers.slack.files import PictureReader, SharedFileReader
from handlers.slack_errors import UNREACHABLE, CannotPost, TargetGone, translate_errors

log = logging.getLogger(__name__)

NOTIFY_AT_ATTEMPT = 2
"""The attempt at which the user is told about the delay. The first retry may succeed before anyone notices."""


class ShareRunner:
    """Runs share jobs."""

    def __init__(
        self,
        *,
        clients: Clients,
        inbox: Inbox,
        channel_settings: ChannelSettingsService,
        lookup: LookupService,
        files: SharedFileReader,
        pictures: PictureReader,
        presenter: AnswerPresenter,
        collector: ShareCollector,
        directories: DirectoryCache,
    ) -> None:
        self._clients = clients
        self._inbox = inbox
        self._channel_settings = channel_settings
        self._lookup = lookup
        self._files = files
        self._pictures = pictures
        self._presenter = presenter
        self._collector = collector
        self._directories = directories

    async def run(self, job: Job) -> None:
        """Process the share according to the channel's settings.

        Raises RetryLater and BackendError, after which the job may run again.
        """
        message = decode_share(job.payload)
        client = await self._clients.client(job.workspace, job.enterprise)
        if message is None or client is None:
            log.warning("dropped job %d: %s", job.id, "unreadable payload" if message is None else "no installation")
            return
        try:
            await self._run(job, message, client)
        except TargetGone as error:
            log.info("job %d has nothing left to answer: %s", job.id, error)
        except CannotPost as error:
            await _post_directly(client, message.user, cannot_post_reply(error.channel, error.reason))
        except UserError as error:
            await self._notify(client, message, str(error))
        except BackendError as error:
            # Report at once an error that an operator must fix. It may be fixed before the last attempt.
            needs_operator = isinstance(error, BackendRefused)
            if job.attempts == (1 if needs_operator else NOTIFY_AT_ATTEMPT):
                await self._notify(client, message, error.user_message if needs_operator else STILL_RETRYING)
            raise

    async def give_up(self, job: Job, error: Exception) -> None:
        """Tell the user that the share failed for good."""
        message = decode_share(job.payload)
        client = await self._clients.client(job.workspace, job.enterprise)
        if message is not None and client is not None:
            if await self._mode(message) is ChannelMode.COLLECT:
                await self._collector.refuse(client, message)
            final_message = error.user_message if isinstance(error, BackendError) else FAILED
            await self._notify(client, message, SLACK_BUSY if isinstance(error, RetryLater) else final_message)

    async def _mode(self, message: ImageShare) -> ChannelMode:
        return (
            ChannelMode.LOOKUP
            if _is_question(message)
            else (await self._channel_settings.get(message.workspace, message.channel)).mode
        )

    async def _run(self, job: Job, message: ImageShare, client: AsyncWebClient) -> None:
        binding = await self._channel_settings.get(message.workspace, message.channel)
        is_question = _is_question(message)
        mode = ChannelMode.LOOKUP if is_question else binding.mode
        wanted = [
            file for file in message.files if file.id in job.files and await self._inbox.is_wanted(job.id, file.id)
        ]
        if mode is ChannelMode.OFF or not wanted:
            return
        if job.answering and await delivery.was_answered(
            client, message.channel, message.reply_to, message.ts, _marker(job)
        ):
            return
        files = await asyncio.gather(*(self._resolve(file, client) for file in wanted))
        images = tuple(file for file in files if isinstance(file, UnresolvedFile) or file.may_be_image)
        if not images:
            return
        kind = await self._kind(message, client)
        try:
            share = Share(job, message, kind, client, binding, _modifiers(message, mode, kind), images)
            database = await self._choose(share, is_question=is_question)
        except (InvalidInput, UnknownDatabase):
            if mode is ChannelMode.COLLECT:
                await self._collector.refuse(client, message)
            raise
        if database is None:
            return
        if mode is ChannelMode.LOOKUP:
            await self._look_up(share, database)
        else:
            reply = await self._collector.collect(share, database, mode)
            if reply is not None:
                await self._answer(share, reply)

    async def _look_up(self, share: Share, key: DatabaseKey) -> None:
        limit = share.modifiers.limit or MATCHES_SHOWN
        minimum = share.modifiers.minimum if share.modifiers.minimum is not None else share.binding.minimum
        if minimum is None:
            minimum = DEFAULT_MINIMUM
        pictures = [(file.name, partial(self._read, file, share)) for file in share.files]
        results = await self._lookup.look_up(key, pictures, limit=MAX_MATCHES, minimum=minimum)
        # Don't report files that neither claimed nor turned out to be images.
        answered = [
            (one, file)
            for one, file in zip(results, share.files, strict=True)
            if one.found or isinstance(file, UnresolvedFile) or file.claims_to_be_image
        ]
        if not answered:
            return
        states = [share.state(file, key, minimum, limit) for _, file in answered]
        reader = AnswerReader(share.audience, share.client)
        # Without a button to share: a single reader is in a direct message with the bot.
        reply = await self._presenter.answer(reader, [one for one, _ in answered], states, can_share=False)
        await self._answer(share, reply)

    async def _answer(self, share: Share, reply: Reply) -> None:
        if not await self._inbox.mark_answering(share.job):
            raise TargetGone("another process has it")
        if not any([await self._inbox.is_wanted(share.job.id, file.id) for file in share.files]):
            raise TargetGone("it was deleted meanwhile")
        with translate_errors(share.message.channel):
            is_complete = await delivery.post(
                share.client, share.message.channel, with_marker(reply, _marker(share.job)), share.message.reply_to
            )
        if not is_complete:
            await self._presenter.check_pictures(AnswerReader(share.audience, share.client), reply)

    async def _choose(self, share: Share, *, is_question: bool) -> DatabaseKey | None:
        """Return the database to use. If it is unclear, offer the choice in the channel and return None."""
        message = share.message
        try:
            if share.modifiers.database is not None:
                return await self._lookup.choose(message.workspace, share.modifiers.database)
            return await self._channel_settings.database_of(share.binding)
        except NoDatabase:
            offer = no_database_reply(message.channel)
        except SeveralDatabases as error:
            # Don't show the names of databases to other organisations.
            names = () if share.kind is ChannelKind.SHARED else error.databases
            offer = several_databases_reply(names, message.channel)
        # Answer a question each time, but send the offer to a channel only once. If this job was already answering,
        # it may have claimed the offer before a call to Slack failed.
        if (
            is_question
            or share.job.answering
            or await self._channel_settings.claim_offer(message.workspace, message.channel)
        ):
            await self._answer(share, offer)
        return None

    async def _kind(self, message: ImageShare, client: AsyncWebClient) -> ChannelKind:
        known = await self._directories.of(message.workspace, client).kind(message.channel, message.kind)
        # The event is newer than the cached directory, so a non-public kind in the event wins. Events don't say,
        # however, that workspaces of one organisation share the channel.
        return known if ChannelKind.PUBLIC is message.kind or known is ChannelKind.SHARED else message.kind

    async def _resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile | UnresolvedFile:
        try:
            return await self._files.resolve(file, client)
        except FetchRefused as error:
            return UnresolvedFile(file.id, file.name, str(error))

    async def _read(self, file: SharedFile | UnresolvedFile, share: Share) -> Picture:
        if isinstance(file, UnresolvedFile):
            raise FetchRefused(file.problem)
        with retry_first_attempts(share.job):
            return await self._files.read(file, share.client.token or "", self._pictures.picture)

    async def _notify(self, client: AsyncWebClient, message: ImageShare, sentence: str) -> None:
        try:
            await delivery.post_ephemeral(client, message.channel, message.user, notice(sentence), message.thread_ts)
        except UNREACHABLE as error:
            log.warning("could not notify %s: %s", message.user, type(error).__name__)


def _modifiers(message: ImageShare, mode: ChannelMode, kind: ChannelKind) -> Modifiers:
    """Return the modifiers in the message's text. Raises InvalidInput."""
    if mode is ChannelMode.GUARD:
        # Nobody may evade the guard by naming another database or mistyping a modifier.
        try:
            return replace(modifiers_of(message.text), database=None)
        except InvalidInput:
            return Modifiers()
    found = modifiers_of(message.text)
    # Members of other organisations may not probe for other databases.
    is_guest = kind is ChannelKind.SHARED and message.user_workspace not in {"", message.workspace}
    return replace(found, database=None) if is_guest else found


def _marker(job: Job) -> str:
    return f"{job.id}-{job.message}"


async def _post_directly(client: AsyncWebClient, user: str, reply: Reply) -> None:
    try:
        await delivery.post(client, user, reply)
    except UNREACHABLE as error:
        log.warning("could not notify %s: %s", user, type(error).__name__)


def _is_question(message: ImageShare) -> bool:
    """Return whether the message asks the bot for an answer, whatever the channel's mode."""
    return message.mentioned or message.channel.startswith("D")
