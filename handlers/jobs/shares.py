"""Run share jobs: look up, collect or guard the images, and answer once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.messages.notices import cannot_post_reply, other_database_reply
from bot.blocks.reply import Reply, notice
from bot.blocks.wording.errors import FAILED, SLACK_BUSY, STILL_RETRYING
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import (
    BackendError,
    BackendRefused,
    EntityRefused,
    FetchRefused,
    RetryLater,
    UnknownDatabase,
    UserError,
)
from bot.domain.identifiers import DatabaseKey
from bot.domain.jobs import Job
from bot.domain.pictures import Picture
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.feedback.usage import UsageCounter
from bot.services.search.lookup import LookupService
from bot.services.search.search import DEFAULT_MINIMUM
from bot.storage.ports.inbox import Inbox
from handlers.inbox.share import MATCHES_SHOWN, Share, UnresolvedFile, retry_first_attempts, search_state
from handlers.jobs.collector import ShareCollector
from handlers.jobs.share_captions import CaptionReader
from handlers.jobs.share_databases import ShareDatabases
from handlers.jobs.thread_answer import LeaseLost, ThreadAnswer
from handlers.moderation.report_sender import ReportSender, Repost
from handlers.parsing.payloads import ImageShare, SharedFile, decode_share
from handlers.replies import delivery
from handlers.replies.delivery.thread_status import Thread, ThreadStatuses, waited_s
from handlers.replies.known_databases import KnownDatabases
from handlers.replies.picture_lookup import MAX_MATCHES
from handlers.replies.presenter import AnswerPresenter, AnswerReader
from handlers.replies.text_updates import TextUpdates
from handlers.slack.clients import Clients
from handlers.slack.directory import DirectoryCache
from handlers.slack.files import PictureReader, SharedFileReader
from handlers.slack_errors import UNREACHABLE, CannotPost, TargetGone

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
        reports: ReportSender,
        directories: DirectoryCache,
        updates: TextUpdates,
        statuses: ThreadStatuses,
        usage: UsageCounter,
    ) -> None:
        self._clients = clients
        self._inbox = inbox
        self._channel_settings = channel_settings
        self._lookup = lookup
        self._files = files
        self._pictures = pictures
        self._presenter = presenter
        self._collector = collector
        self._reports = reports
        self._directories = directories
        self._updates = updates
        self._statuses = statuses
        self._usage = usage
        known = KnownDatabases(lookup, channel_settings, directories)
        self._captions = CaptionReader(lookup, known, channel_settings)
        self._databases = ShareDatabases(lookup, known, channel_settings)

    async def run(self, job: Job) -> None:
        """Process the share according to the channel's settings.

        Raises RetryLater and BackendError, after which the job may run again.
        """
        message = decode_share(job.payload)
        client = await self._clients.client(job.workspace, job.enterprise)
        if message is None or client is None:
            log.warning("dropped job %d: %s", job.id, "unreadable payload" if message is None else "no installation")
            return
        answer = ThreadAnswer(client, self._inbox, job, message)
        problem: UserError | None = None
        try:
            await self._run(job, message, client, answer)
        except LeaseLost as error:
            log.info("job %d is left to another process: %s", job.id, error)
            return
        except UserError as error:
            problem = error
        except BackendError as error:
            # Report at once an error that an operator must fix. It may be fixed before the last attempt.
            needs_operator = isinstance(error, BackendRefused)
            if job.attempts == (1 if needs_operator else NOTIFY_AT_ATTEMPT):
                await _notify(client, message, error.user_message if needs_operator else STILL_RETRYING)
            raise
        await answer.withdraw()
        if problem is not None:
            await self._report(job, message, client, problem)

    async def _report(self, job: Job, message: ImageShare, client: AsyncWebClient, problem: UserError) -> None:
        """Tell the author why there is no answer."""
        if isinstance(problem, TargetGone):
            log.info("job %d has nothing left to answer: %s", job.id, problem)
        elif isinstance(problem, CannotPost):
            await _post_directly(client, message.user, cannot_post_reply(problem.channel, problem.reason))
        elif isinstance(problem, EntityRefused) and problem.suggestion:
            await _tell(client, message, await self._captions.suggest(message, problem, client))
        elif isinstance(problem, UnknownDatabase) and problem.did_you_mean and len(message.files) == 1:
            state = search_state(message, message.files[0], problem.did_you_mean)
            await _tell(client, message, other_database_reply(str(problem), state))
        else:
            await _notify(client, message, str(problem))

    async def give_up(self, job: Job, error: Exception) -> None:
        """Tell the user that the share failed for good."""
        message = decode_share(job.payload)
        client = await self._clients.client(job.workspace, job.enterprise)
        if message is not None and client is not None:
            answer = ThreadAnswer(client, self._inbox, job, message)
            with contextlib.suppress(RetryLater):
                await answer.find_earlier()
            await answer.withdraw()
            if await self._mode(message) is ChannelMode.COLLECT:
                await self._collector.refuse(client, message)
            final_message = error.user_message if isinstance(error, BackendError) else FAILED
            await _notify(client, message, SLACK_BUSY if isinstance(error, RetryLater) else final_message)

    async def _mode(self, message: ImageShare) -> ChannelMode:
        return _mode_of(message, await self._channel_settings.get(message.workspace, message.channel))

    async def _run(self, job: Job, message: ImageShare, client: AsyncWebClient, answer: ThreadAnswer) -> None:
        binding = await self._channel_settings.get(message.workspace, message.channel)
        mode = _mode_of(message, binding)
        wanted = [
            file for file in message.files if file.id in job.files and await self._inbox.is_wanted(job.id, file.id)
        ]
        if mode is ChannelMode.OFF or not wanted:
            return
        # In the other modes people expect no answer, and not about a link that may not open.
        has_progress = mode is ChannelMode.LOOKUP and (message.is_question or not message.has_only_links)
        await answer.find_earlier(has_progress=has_progress)
        wanted = [file for file in wanted if file.id not in answer.answered]
        if answer.is_complete or not wanted:
            return
        async with self._progress(job, message, client, answer) if has_progress else contextlib.nullcontext():
            share = await self._share(job, message, client, binding, wanted)
            if share is not None:
                await self._handle(share, mode, answer)

    @contextlib.asynccontextmanager
    async def _progress(
        self, job: Job, message: ImageShare, client: AsyncWebClient, answer: ThreadAnswer
    ) -> AsyncIterator[None]:
        """Show a status in the thread if the answer takes a moment, and say that the work goes on if it takes long."""
        thread = Thread(message.workspace, message.channel, message.reply_to, waited_s(job.created_at))
        async with self._statuses.shown(client, thread, lambda: bool(answer.posted)), answer.progress():
            yield

    async def _share(
        self,
        job: Job,
        message: ImageShare,
        client: AsyncWebClient,
        binding: ChannelBinding,
        wanted: Sequence[SharedFile],
    ) -> Share | None:
        """Return the share with its resolved files and its caption, or None without images. Raises InvalidInput."""
        files = await asyncio.gather(*(self._resolve(file, client) for file in wanted))
        images = tuple(file for file in files if _may_be_answered(file, message))
        if not images:
            return None
        kind = await self._directories.of(message.workspace, client).kind_of_message(message.channel, message.kind)
        caption = await self._captions.read(message, _mode_of(message, binding), kind, client)
        return Share(job, message, kind, client, binding, caption.modifiers, images, caption.note, caption.refused)

    async def _handle(self, share: Share, mode: ChannelMode, answer: ThreadAnswer) -> None:
        try:
            database = await self._databases.choose(share)
        except UnknownDatabase as error:
            if mode is ChannelMode.COLLECT:
                await self._collector.refuse_all(share, error)
            raise
        if database is None:
            return
        if isinstance(database, Reply):
            await self._answer(share, database, [file.id for file in share.files], answer)
            return
        if mode is ChannelMode.LOOKUP:
            await self._look_up(share, database, answer)
            return
        with self._lookup.in_foreground():
            reposts = await self._collector.collect(share, database, mode)
        if reposts:
            await self._report_reposts(share, database, reposts, answer)

    async def _report_reposts(
        self, share: Share, key: DatabaseKey, reposts: Sequence[Repost], answer: ThreadAnswer
    ) -> None:
        if share.binding.rules.quiet:
            await self._collector.react_to_reposts(share)
        if report := await self._reports.send(share, key, reposts):
            await self._answer(share, report.reply, report.files, answer)
            await self._reports.record(report, answer.posted)
        # At the end, because a job that failed runs again.
        self._usage.reposted([repost.found for repost in reposts])

    async def _look_up(self, share: Share, key: DatabaseKey, answer: ThreadAnswer) -> None:
        limit = share.modifiers.limit or MATCHES_SHOWN
        minimum = share.modifiers.minimum if share.modifiers.minimum is not None else share.binding.minimum
        if minimum is None:
            minimum = DEFAULT_MINIMUM
        pictures = [(file.name, partial(self._read, file, share)) for file in share.files]
        reader = AnswerReader(share.audience, share.client)
        readers = self._presenter.readers(reader)
        scope = await self._databases.scope(share, key)
        results = await self._lookup.look_up(scope, pictures, limit=MAX_MATCHES, minimum=minimum, readers=readers)
        # Don't report files that neither claimed nor turned out to be images.
        answered = [
            (one, file)
            for one, file in zip(results, share.files, strict=True)
            if one.found or _is_expected(file, share.message)
        ]
        if not answered:
            return
        states = [share.state(file, key, minimum, limit) for _, file in answered]
        # Without a button to share: a single reader is in a direct message with the bot.
        present = partial(
            self._presenter.answer, reader, states=states, can_share=False, first=len(answer.answered) + 1
        )
        shown, files = [one for one, _ in answered], [file.id for _, file in answered]

        async def with_texts() -> Reply | None:
            refined = await self._lookup.refine(scope, shown, limit=MAX_MATCHES, minimum=minimum, readers=readers)
            return None if refined is None else await present(refined)

        await self._answer(share, await present(shown), files, answer)
        self._usage.answered([one.found for one in shown if one.found is not None])
        if later := self._updates.later(shown, with_texts):
            later.begin(lambda reply: answer.edit(reply, files))

    async def _answer(self, share: Share, reply: Reply, files: Sequence[str], answer: ThreadAnswer) -> None:
        if not await answer.send(reply, files):
            await self._presenter.check_pictures(AnswerReader(share.audience, share.client), reply)

    async def _resolve(self, file: SharedFile, client: AsyncWebClient) -> SharedFile | UnresolvedFile:
        try:
            return await self._files.resolve(file, client)
        except FetchRefused as error:
            return UnresolvedFile(file.id, file.name, str(error))

    async def _read(self, file: SharedFile | UnresolvedFile, share: Share) -> Picture:
        if isinstance(file, UnresolvedFile):
            raise FetchRefused(file.problem)
        with retry_first_attempts(share.job):
            return await self._files.read(file, share.client.token or "", self._pictures.picture, share.client)


def _may_be_answered(file: SharedFile | UnresolvedFile, message: ImageShare) -> bool:
    """Return whether a resolved file is a picture: an image or, if the message asks the bot, one with a preview."""
    if isinstance(file, UnresolvedFile) or file.may_be_image:
        return True
    return message.is_question and (file.is_shown or file.is_previewed)


def _is_expected(file: SharedFile | UnresolvedFile, message: ImageShare) -> bool:
    """Return whether people expect an answer about a file even if it is an error."""
    if isinstance(file, UnresolvedFile) or (file.claims_to_be_image and not file.link):
        return True
    return message.is_question and (file.is_previewed or bool(file.link))


async def _notify(client: AsyncWebClient, message: ImageShare, sentence: str) -> None:
    await _tell(client, message, notice(sentence))


async def _tell(client: AsyncWebClient, message: ImageShare, reply: Reply) -> None:
    await delivery.try_post_ephemeral(client, message.channel, message.user, reply, message.thread_ts)


async def _post_directly(client: AsyncWebClient, user: str, reply: Reply) -> None:
    try:
        await delivery.post(client, user, reply)
    except UNREACHABLE as error:
        log.warning("could not notify %s: %s", user, type(error).__name__)


def _mode_of(message: ImageShare, binding: ChannelBinding) -> ChannelMode:
    return ChannelMode.LOOKUP if message.is_question else binding.mode
