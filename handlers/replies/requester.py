"""Somebody who asked by a command, a button, a modal or a shortcut, and how their answer reaches them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.reply import Reply, notice
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.interactions import ActionRequest, ShortcutRequest
from handlers.replies import delivery
from handlers.replies.presenter import AnswerReader
from handlers.slack_errors import UNREACHABLE, cannot_post, is_outcome_unknown


@dataclass(frozen=True, slots=True)
class Requester:
    """A person in a place. ``channel`` is empty where they asked from App Home or a global shortcut."""

    workspace: WorkspaceId
    user: str
    client: AsyncWebClient
    channel: str = ""
    kind: ChannelKind = ChannelKind.PUBLIC
    response_url: str = ""
    thread: str = ""

    @property
    def as_reader(self) -> AnswerReader:
        """The person as the only reader."""
        return AnswerReader(Audience(self.workspace, self.channel, self.kind, self.user), self.client)

    @property
    def channel_reader(self) -> AnswerReader:
        """All who read the channel."""
        return AnswerReader(Audience(self.workspace, self.channel, self.kind), self.client)

    @classmethod
    def of(cls, request: ActionRequest | ShortcutRequest, client: AsyncWebClient) -> Self:
        """Whoever pressed a button or chose a shortcut, where they did."""
        return cls(
            request.workspace,
            request.user,
            client,
            request.channel,
            request.channel_kind,
            request.response_url,
            request.thread_ts,
        )

    async def reply_sentence(self, sentence: str) -> None:
        """One sentence to them alone. Raises SlackApiError."""
        await self.reply_privately(notice(sentence))

    async def reply_privately(self, reply: Reply, *, replace: bool = False) -> None:
        """Answer to them alone: by the response URL, else in the channel, else directly. Raises SlackApiError."""
        if await self._try_response_url(reply, replace=replace):
            return
        if self.channel:
            await delivery.post_ephemeral(self.client, self.channel, self.user, reply, self.thread)
        else:
            await delivery.post(self.client, self.user, reply)

    async def reply_publicly(self, reply: Reply) -> None:
        """Answer for the whole channel to see. A response URL may write where the bot is no member.

        Raises CantSpeak, Unclear (said twice, it would stand there twice) and SlackApiError.
        """
        if self.response_url and await delivery.respond(self.response_url, reply, public=True, thread_ts=self.thread):
            return
        try:
            await delivery.post(self.client, self.channel, reply, self.thread)
        except SlackApiError as error:
            if is_outcome_unknown(error):
                raise delivery.DeliveryUnknown from error
            reason = cannot_post(error, self.channel)
            if reason is None:
                raise
            raise reason from error
        except UNREACHABLE as error:
            raise delivery.DeliveryUnknown from error

    async def _try_response_url(self, reply: Reply, *, replace: bool) -> bool:
        """Whether the response URL took it."""
        try:
            return bool(self.response_url) and await delivery.respond(
                self.response_url, reply, replace=replace, thread_ts=self.thread
            )
        except delivery.DeliveryUnknown:
            # What one person alone sees: rather twice than not at all.
            return False
