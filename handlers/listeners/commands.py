"""``/vsearch``: acknowledged at once, then answered to its author alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.messages.notices import (
    StatusInfo,
    added_reply,
    created_reply,
    databases_reply,
    help_reply,
    no_database_reply,
    status_reply,
    watching_reply,
)
from bot.blocks.reply import Reply
from bot.blocks.wording.channels import DIRECT_MESSAGES_HAVE_NO_MODE
from bot.blocks.wording.help import delete_database_needs_form
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import InvalidInput, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName
from bot.services.search.lookup import NoDatabase
from bot.telemetry.metrics import Metrics
from handlers.errors import report_errors, with_progress
from handlers.inbox.deferred_requests import RequestDeferral
from handlers.modals.forms import ModalOpener, ModalsUnsupported
from handlers.parsing import grammar
from handlers.parsing.payloads import CommandRequest, parse_command
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester


class CommandListener:
    """What a slash command starts."""

    def __init__(
        self,
        dependencies: SlackDependencies,
        answers: AnswerComposer,
        forms: ModalOpener,
        deferral: RequestDeferral,
        metrics: Metrics,
    ) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._forms = forms
        self._deferral = deferral
        self._metrics = metrics

    async def on_command(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Any ``/vsearch …``."""
        await ack()
        request = parse_command(body)
        if request is None:
            return
        requester = requester_of(request, client)
        async with report_errors(requester.reply_sentence, self._metrics):
            command = grammar.parse(request.text)
            if isinstance(command, grammar.SearchCommand | grammar.AddCommand) and await self._deferral.defer(
                body, requester.reply_sentence
            ):
                return
            await self._run(requester, command, request.trigger_id)

    async def run_text(self, requester: Requester, text: str) -> None:
        """Understand a command that was not typed as one, and answer it."""
        async with report_errors(requester.reply_sentence, self._metrics):
            await self._run(requester, grammar.parse(text), "")

    async def _run(self, requester: Requester, command: grammar.Command, trigger_id: str) -> None:
        try:
            reply = await with_progress(self._answer(requester, command, trigger_id), requester.reply_sentence)
        except NoDatabase:
            reply = no_database_reply(requester.channel)
        if reply is not None:
            await requester.reply_privately(reply)

    async def _answer(self, requester: Requester, command: grammar.Command, trigger_id: str) -> Reply | None:
        """The reply; None where a modal opens in its place. Raises UserError and BackendError."""
        match command:
            case grammar.OpenForm() | grammar.DeleteDatabase():
                return await self._open(requester, command, trigger_id)
            case grammar.SearchCommand() | grammar.AddCommand():
                return await self._picture(requester, command)
            case grammar.ListImages() | grammar.DeleteEntity():
                return await self._images(requester, command)
            case grammar.WatchCommand() | grammar.UnwatchCommand() | grammar.StatusCommand():
                return await self._channel(requester, command)
            case grammar.ListDatabases() | grammar.CreateDatabase():
                return await self._databases(requester, command)
            case grammar.HelpCommand(problem):
                return help_reply(problem)

    async def _images(self, requester: Requester, command: grammar.ListImages | grammar.DeleteEntity) -> Reply:
        if isinstance(command, grammar.ListImages):
            return await self._answers.page_of(requester, command.database, command.prefix, command.order)
        key = await self._answers.database(requester, command.database)
        return await self._answers.ask_to_delete(requester, key, command.entity)

    async def _databases(self, requester: Requester, command: grammar.ListDatabases | grammar.CreateDatabase) -> Reply:
        if isinstance(command, grammar.ListDatabases):
            return databases_reply(await self._dependencies.databases.all(requester.workspace))
        key = DatabaseKey(requester.workspace, command.name)
        return created_reply(await self._dependencies.databases.create(key, requester.user))

    async def _open(
        self, requester: Requester, command: grammar.OpenForm | grammar.DeleteDatabase, trigger_id: str
    ) -> Reply | None:
        # A mention carries no trigger, and without one no form opens.
        if isinstance(command, grammar.DeleteDatabase):
            if not trigger_id:
                raise InvalidInput(delete_database_needs_form(command.name))
            await self._forms.open_delete_database(requester, trigger_id, command.name)
            return None
        if not trigger_id:
            return help_reply()
        try:
            await self._forms.open_search(requester, trigger_id)
        except ModalsUnsupported:
            return help_reply()
        return None

    async def _picture(self, requester: Requester, command: grammar.SearchCommand | grammar.AddCommand) -> Reply:
        state = await self._source(requester, command.source)
        key = await self._answers.database(requester, command.database)
        state = replace(state, database=key.name)
        if isinstance(command, grammar.SearchCommand):
            state = replace(state, top=command.limit, minimum=command.minimum)
            return await self._answers.search(requester, requester.as_reader, [state])
        added = await self._answers.add(requester, state, key, command.entity, command.note)
        return added if isinstance(added, Reply) else added_reply(key.name, added.entity, note=added.note)

    async def _source(self, requester: Requester, source: grammar.ImageReference) -> SearchState:
        if source.url:
            return SearchState(url=source.url, channel=requester.channel)
        return await self._dependencies.finder.newest(requester.workspace, requester.channel, requester.client)

    async def _channel(
        self, requester: Requester, command: grammar.WatchCommand | grammar.UnwatchCommand | grammar.StatusCommand
    ) -> Reply:
        if isinstance(command, grammar.StatusCommand):
            return await self._status(requester)
        if requester.channel.startswith("D"):
            raise InvalidInput(DIRECT_MESSAGES_HAVE_NO_MODE)
        if isinstance(command, grammar.UnwatchCommand):
            binding = await self._dependencies.watching.unwatch(requester.workspace, requester.channel, requester.user)
            return watching_reply(binding, None)
        database = (await self._answers.database(requester, command.database)).name
        before = await self._answers.binding(requester)
        mode = command.mode or (before.mode if before.mode is not ChannelMode.OFF else ChannelMode.LOOKUP)
        # What is a copy to a guard is no measure for a lookup.
        minimum = before.minimum if command.minimum is None and mode is before.mode else command.minimum
        binding = ChannelBinding(requester.workspace, requester.channel, mode, database, minimum, requester.user)
        reply = watching_reply(await self._dependencies.watching.watch(binding), database)
        return await self._answers.with_invitation(requester, requester.channel, reply)

    async def _status(self, requester: Requester) -> Reply:
        binding = await self._answers.binding(requester)
        effective: DatabaseName | None
        try:
            effective = (await self._dependencies.watching.database_of(binding)).name
        except UserError:
            effective = None
        backend, problem = await self._answers.backend()
        reply = status_reply(
            StatusInfo(
                channel=requester.channel,
                conversation="direct" if requester.channel.startswith("D") else "channel",
                binding=binding,
                effective=effective,
                databases=await self._dependencies.databases.all(requester.workspace),
                backend=backend,
                problem=problem,
                waiting=(await self._dependencies.inbox.depth()).waiting,
            )
        )
        return await self._answers.with_invitation(requester, requester.channel, reply)


def requester_of(request: CommandRequest, client: AsyncWebClient) -> Requester:
    """Who typed a command, and where."""
    return Requester(request.workspace, request.user, client, request.channel, request.kind, request.response_url)
