"""Mention listener: run the text after a mention, or of a direct message, as a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.messages.notices import no_database_reply
from bot.domain.channels import ChannelKind
from bot.domain.identifiers import ALL_DATABASES
from bot.services.search.lookup import NoDatabase
from bot.services.search.search import DEFAULT_MINIMUM
from bot.telemetry.metrics import Metrics
from handlers.errors import report_errors, with_progress
from handlers.inbox.middleware import share_job
from handlers.inbox.share import MATCHES_SHOWN
from handlers.listeners.commands import CommandListener
from handlers.parsing import grammar
from handlers.parsing.grammar import mention_command
from handlers.parsing.payloads import Mention, parse_mention
from handlers.replies.answers import AnswerComposer
from handlers.replies.delivery.thread_status import Thread
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester


class MentionListener:
    """Answers mentions and direct messages without images. Those with images are shares.

    Mentions come from the inbox, which drops repeated deliveries.
    """

    def __init__(
        self, commands: CommandListener, dependencies: SlackDependencies, answers: AnswerComposer, metrics: Metrics
    ) -> None:
        self._commands = commands
        self._dependencies = dependencies
        self._answers = answers
        self._metrics = metrics

    async def on_mention(self, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Answer ``@vsearch help`` or any other command, or a question about the picture that began the thread."""
        mention = parse_mention(body)
        if mention is None or not await self.may_command(mention, client):
            return
        command = mention_command(mention.text, "")
        if pictures := await self._asked_about(mention, command, client):
            async with report_errors(requester_of(mention, client).reply_sentence, self._metrics):
                await self._look_up(mention, pictures, command, client)
            return
        if grammar.is_prose(command) and await self._shares(mention, client):
            return
        await self._commands.run_text(requester_of(mention, client), command)

    async def _shares(self, mention: Mention, client: AsyncWebClient) -> bool:
        """Store a message without a command as a share if it has pictures that its event lacked.

        Slack shows a link some seconds later. The inbox drops pictures that another event of the message had.
        """
        pictures = await self._dependencies.finder.of_question(mention, client)
        if pictures:
            await self._dependencies.inbox.put(share_job(mention.with_pictures(pictures)))
        return bool(pictures)

    async def _asked_about(self, mention: Mention, command: str, client: AsyncWebClient) -> list[SearchState]:
        """Return the pictures of the thread's first message, if the mention is in a thread and gives no command."""
        if mention.thread_ts in {"", mention.ts} or not grammar.is_question(command):
            return []
        return await self._dependencies.finder.of_thread(mention.channel, mention.thread_ts, client)

    async def _look_up(
        self, mention: Mention, pictures: Sequence[SearchState], command: str, client: AsyncWebClient
    ) -> None:
        """Answer in the thread, as if the pictures had been shared there. Raises UserError and BackendError."""
        requester, given = requester_of(mention, client), grammar.modifiers_of(command)
        kind = await self._answers.directory(requester).kind_of_message(mention.channel, mention.kind)
        requester, named = replace(requester, kind=kind), given.database
        if named == ALL_DATABASES and not await self._answers.may_name_all(requester):
            # Use the channel's database instead.
            named = None
        try:
            key = await self._answers.database(requester, named, or_all=True)
        except NoDatabase:
            await requester.reply_publicly(no_database_reply(mention.channel))
            return
        minimum = (await self._answers.binding(requester)).minimum if given.minimum is None else given.minimum
        states = [
            replace(
                state,
                thread=mention.thread_ts,
                database=key.name,
                top=given.limit or MATCHES_SHOWN,
                minimum=DEFAULT_MINIMUM if minimum is None else minimum,
            )
            for state in pictures
        ]
        reader = requester.as_reader if mention.channel.startswith("D") else requester.channel_reader
        work = self._answers.search(requester, reader, states)
        thread, has_answer = Thread(mention.workspace, mention.channel, mention.thread_ts), False
        async with self._dependencies.statuses.shown(client, thread, lambda: has_answer):
            await requester.reply_publicly(await with_progress(work, requester.reply_sentence))
            has_answer = True

    async def may_command(self, mention: Mention, client: AsyncWebClient) -> bool:
        """Return whether the author may give commands. Members of other organisations in a shared channel may not."""
        if mention.user_workspace == mention.workspace:
            return True
        if mention.kind is ChannelKind.SHARED or not mention.user_workspace:
            return mention.kind is not ChannelKind.SHARED
        # Events don't tell when workspaces of one organisation share a channel.
        directory = self._dependencies.directories.of(mention.workspace, client)
        return await directory.kind(mention.channel, ChannelKind.SHARED) is not ChannelKind.SHARED


def requester_of(mention: Mention, client: AsyncWebClient) -> Requester:
    """Return the author of a mention."""
    return Requester(
        mention.workspace,
        mention.user,
        client,
        mention.channel,
        mention.kind,
        thread=mention.thread_ts,
        message=mention.ts,
    )
