"""Watch new shares and mentions until a worker starts on them, because their authors wait for an answer."""

from __future__ import annotations

from functools import partial

from bot.blocks.reply import notice
from bot.domain.channels import ChannelMode
from bot.domain.jobs import JobKind, NewJob
from bot.services.channels.channel_settings import ChannelSettingsService
from handlers.inbox.waiting_notices import WaitingNotices
from handlers.parsing.payloads import ImageShare, Mention, decode_request, decode_share, parse_mention
from handlers.replies import delivery
from handlers.slack.clients import Clients


class QueuedQuestions:
    """Tells authors that their question is queued. Images in collect and guard channels are no questions."""

    def __init__(self, notices: WaitingNotices, clients: Clients, channel_settings: ChannelSettingsService) -> None:
        self._notices = notices
        self._clients = clients
        self._channel_settings = channel_settings

    def watch(self, job: NewJob) -> None:
        """Watch a new job, if it is a share or a mention."""
        message: ImageShare | Mention | None = None
        if job.kind is JobKind.SHARE:
            message = decode_share(job.payload)
        elif job.kind is JobKind.REQUEST:
            message = parse_mention(decode_request(job.payload))
        if message is not None:
            self._notices.watch(job, partial(self._tell_author, message))

    async def _tell_author(self, message: ImageShare | Mention, sentence: str) -> None:
        client = await self._clients.client(message.workspace, message.enterprise)
        if client is not None and await self._is_awaited(message):
            await delivery.post_ephemeral(client, message.channel, message.user, notice(sentence), message.thread_ts)

    async def _is_awaited(self, message: ImageShare | Mention) -> bool:
        if isinstance(message, Mention) or message.is_question:
            return True
        binding = await self._channel_settings.get(message.workspace, message.channel)
        return binding.mode is ChannelMode.LOOKUP and not message.has_only_links
