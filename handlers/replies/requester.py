"""The person who typed a command, pressed a button, submitted a modal or used a shortcut, and how to reply to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Self

from cachetools import TTLCache
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.reply import Reply, notice
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.interactions import ActionRequest, ShortcutRequest
from handlers.replies import delivery
from handlers.replies.presenter import AnswerReader
from handlers.slack_errors import UNREACHABLE, cannot_post, is_outcome_unknown

EditMessage = Callable[[Reply], Awaitable[None]]
"""Turns a message into another one. Raises what Slack's client raises."""

MAX_AT_URL = 3
"""Messages of one reply that go to a response URL, which takes five; progress and an error may need the others."""

_newest: TTLCache[tuple[str, str, str], object] = TTLCache(10_000, 3600)
"""The newest answer in each message that was replaced. A later edit of an earlier answer must leave it alone."""


@dataclass(frozen=True, slots=True)
class Requester:
    """A person in a conversation; ``channel`` is empty in App Home and for global shortcuts.

    ``message`` is the timestamp of the message that the person wrote to the bot, or whose button they pressed; empty
    for other requests.
    """

    workspace: WorkspaceId
    user: str
    client: AsyncWebClient
    channel: str = ""
    kind: ChannelKind = ChannelKind.PUBLIC
    response_url: str = ""
    thread: str = ""
    message: str = ""

    @property
    def as_reader(self) -> AnswerReader:
        """Return the person as the only reader."""
        return AnswerReader(Audience(self.workspace, self.channel, self.kind, self.user), self.client)

    @property
    def channel_reader(self) -> AnswerReader:
        """Return everyone in the channel as readers."""
        return AnswerReader(Audience(self.workspace, self.channel, self.kind), self.client)

    @classmethod
    def of(cls, request: ActionRequest | ShortcutRequest, client: AsyncWebClient) -> Self:
        """Return the person who pressed a button or chose a shortcut."""
        return cls(
            request.workspace,
            request.user,
            client,
            request.channel,
            request.channel_kind,
            request.response_url,
            request.thread_ts,
            request.message_ts,
        )

    async def reply_sentence(self, sentence: str) -> None:
        """Send one sentence to the person alone. Raises SlackApiError."""
        await self.reply_privately(notice(sentence))

    async def reply_privately(self, reply: Reply, *, replace: bool = False) -> None:
        """Reply to the person alone: to the response URL, in the channel, or directly. Raises SlackApiError."""
        sent = [
            await self._send_privately(message, replace=replace and not number, has_url=number < MAX_AT_URL)
            for number, message in enumerate(reply.messages)
        ]
        self._begin_later(reply, sent)

    async def _send_privately(self, reply: Reply, *, replace: bool, has_url: bool) -> EditMessage | None:
        """Send a message, and return how it is edited, if it can be."""
        if has_url and await self._try_response_url(reply, replace=replace):
            # Only a button's message can be replaced. A second answer to a command would stand below the first.
            return self._replacement() if replace else None
        if self.channel:
            return _edit_of(
                self.client, await delivery.post_ephemeral(self.client, self.channel, self.user, reply, self.thread)
            )
        return _edit_of(self.client, await delivery.post_editable(self.client, self.user, reply))

    async def reply_publicly(self, reply: Reply) -> None:
        """Reply to the whole channel. A response URL works even where the bot is not a member.

        Raises CannotPost, SlackApiError, and DeliveryUnknown, after which a retry could post the reply twice.
        """
        sent = [
            await self._send_publicly(message, has_url=number < MAX_AT_URL)
            for number, message in enumerate(reply.messages)
        ]
        self._begin_later(reply, sent)

    async def _send_publicly(self, reply: Reply, *, has_url: bool) -> EditMessage | None:
        if (
            has_url
            and self.response_url
            and await delivery.respond(self.response_url, reply, public=True, thread_ts=self.thread)
        ):
            return None
        try:
            return _edit_of(self.client, await delivery.post_editable(self.client, self.channel, reply, self.thread))
        except SlackApiError as error:
            if is_outcome_unknown(error):
                raise delivery.DeliveryUnknown from error
            reason = cannot_post(error, self.channel)
            if reason is None:
                raise
            raise reason from error
        except UNREACHABLE as error:
            raise delivery.DeliveryUnknown from error

    def _begin_later(self, reply: Reply, sent: Sequence[EditMessage | None]) -> None:
        """Let the later version of a reply edit what was sent, if all of it can be edited."""
        edits = [edit for edit in sent if edit is not None]
        if reply.later is None or len(edits) < len(sent):
            return

        async def edit(later: Reply) -> None:
            if len(later.messages) == len(edits):
                for message, before, edit_message in zip(later.messages, reply.messages, edits, strict=True):
                    if message != before:
                        await edit_message(message)

        reply.later.begin(edit)

    def _replacement(self) -> EditMessage:
        """Record that the message has a new answer, and return how it is edited until it has the next one."""
        place, answer = (self.workspace, self.channel, self.message), object()
        _newest[place] = answer

        async def replace_original(reply: Reply) -> None:
            if _newest.get(place) is answer:
                await delivery.respond(self.response_url, reply, replace=True, thread_ts=self.thread)

        return replace_original

    async def _try_response_url(self, reply: Reply, *, replace: bool) -> bool:
        """Send to the response URL, and return whether it took the reply.

        One without a conversation, as some clients send from App Home, leads nowhere, though it takes every reply.
        """
        try:
            return bool(self.response_url and self.channel) and await delivery.respond(
                self.response_url, reply, replace=replace, thread_ts=self.thread
            )
        except delivery.DeliveryUnknown:
            # Only one person sees it, so a second copy is better than none.
            return False


def _edit_of(client: AsyncWebClient, posted: delivery.PostedMessage | None) -> EditMessage | None:
    """Return how a posted message is edited, if it can be."""
    if posted is None or not posted.ts:
        return None

    async def edit(reply: Reply) -> None:
        await delivery.update(client, posted.channel, posted.ts, reply)

    return edit
