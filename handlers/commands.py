"""``/vsearch``: acknowledged at once, then answered to its author alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.notices import (
    Status,
    added_reply,
    created_reply,
    databases_reply,
    help_reply,
    no_database_reply,
    status_reply,
    watching_reply,
)
from bot.blocks.reply import Reply
from bot.blocks.state import SearchState
from bot.conversations import ChannelBinding, Mode
from bot.errors import InvalidInput, UserError
from bot.metrics import Metrics
from bot.models import DatabaseKey, DatabaseName
from bot.services.lookup import NoDatabase
from handlers import grammar
from handlers.answers import Answers
from handlers.asking import Asker
from handlers.desk import Desk
from handlers.errands import Errands
from handlers.forms import Forms, NoForms
from handlers.guard import errors_told, with_progress
from handlers.payloads import CommandRequest, parse_command

NOT_HERE = "Direct messages with me are always looked up: set this in a channel instead."


class CommandListener:
    """What a slash command starts."""

    def __init__(self, desk: Desk, answers: Answers, forms: Forms, errands: Errands, metrics: Metrics) -> None:
        self._desk = desk
        self._answers = answers
        self._forms = forms
        self._errands = errands
        self._metrics = metrics

    async def on_command(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Any ``/vsearch …``."""
        await ack()
        request = parse_command(body)
        if request is None:
            return
        asker = as_asker(request, client)
        async with errors_told(asker.say, self._metrics):
            command = grammar.parse(request.text)
            if isinstance(command, grammar.Search | grammar.Add) and await self._errands.pass_on(body, asker.say):
                return
            await self._carry_out(asker, command, request.trigger_id)

    async def carry_out(self, asker: Asker, text: str) -> None:
        """Understand a command that was not typed as one, and answer it."""
        async with errors_told(asker.say, self._metrics):
            await self._carry_out(asker, grammar.parse(text), "")

    async def _carry_out(self, asker: Asker, command: grammar.Command, trigger_id: str) -> None:
        try:
            reply = await with_progress(self._answer(asker, command, trigger_id), asker.say)
        except NoDatabase:
            reply = no_database_reply(asker.channel)
        if reply is not None:
            await asker.tell(reply)

    async def _answer(self, asker: Asker, command: grammar.Command, trigger_id: str) -> Reply | None:
        """The reply; None where a modal opens in its place. Raises UserError and BackendError."""
        match command:
            case grammar.OpenForm() | grammar.DeleteDatabase():
                return await self._open(asker, command, trigger_id)
            case grammar.Search() | grammar.Add():
                return await self._picture(asker, command)
            case grammar.ListImages() | grammar.DeleteEntity():
                return await self._images(asker, command)
            case grammar.Watch() | grammar.Unwatch() | grammar.Status():
                return await self._channel(asker, command)
            case grammar.ListDatabases() | grammar.CreateDatabase():
                return await self._databases(asker, command)
            case grammar.Help(problem):
                return help_reply(problem)

    async def _images(self, asker: Asker, command: grammar.ListImages | grammar.DeleteEntity) -> Reply:
        if isinstance(command, grammar.ListImages):
            return await self._answers.page_of(asker, command.database, command.prefix, command.order)
        key = await self._answers.database(asker, command.database)
        return await self._answers.ask_to_delete(asker, key, command.entity)

    async def _databases(self, asker: Asker, command: grammar.ListDatabases | grammar.CreateDatabase) -> Reply:
        if isinstance(command, grammar.ListDatabases):
            return databases_reply(await self._desk.databases.all(asker.workspace))
        key = DatabaseKey(asker.workspace, command.name)
        return created_reply(await self._desk.databases.create(key, asker.user))

    async def _open(
        self, asker: Asker, command: grammar.OpenForm | grammar.DeleteDatabase, trigger_id: str
    ) -> Reply | None:
        # A mention carries no trigger, and without one no form opens.
        if isinstance(command, grammar.DeleteDatabase):
            if not trigger_id:
                raise InvalidInput(f"That needs a form: type `/vsearch db delete {command.name}` for it.")
            await self._forms.open_delete_database(asker, trigger_id, command.name)
            return None
        if not trigger_id:
            return help_reply()
        try:
            await self._forms.open_search(asker, trigger_id)
        except NoForms:
            return help_reply()
        return None

    async def _picture(self, asker: Asker, command: grammar.Search | grammar.Add) -> Reply:
        state = await self._source(asker, command.source)
        key = await self._answers.database(asker, command.database)
        state = replace(state, database=key.name)
        if isinstance(command, grammar.Search):
            state = replace(state, top=command.limit, minimum=command.minimum)
            return await self._answers.search(asker, asker.alone, [state])
        added = await self._answers.add(asker, state, key, command.entity, command.note)
        return added if isinstance(added, Reply) else added_reply(key.name, added.entity, note=added.note)

    async def _source(self, asker: Asker, source: grammar.Source) -> SearchState:
        if source.url:
            return SearchState(url=source.url, channel=asker.channel)
        return await self._desk.finder.newest(asker.workspace, asker.channel, asker.client)

    async def _channel(self, asker: Asker, command: grammar.Watch | grammar.Unwatch | grammar.Status) -> Reply:
        if isinstance(command, grammar.Status):
            return await self._status(asker)
        if asker.channel.startswith("D"):
            raise InvalidInput(NOT_HERE)
        if isinstance(command, grammar.Unwatch):
            binding = await self._desk.watching.unwatch(asker.workspace, asker.channel, asker.user)
            return watching_reply(binding, None)
        database = (await self._answers.database(asker, command.database)).name
        before = await self._answers.binding(asker)
        mode = command.mode or (before.mode if before.mode is not Mode.OFF else Mode.LOOKUP)
        # What is a copy to a guard is no measure for a lookup.
        minimum = before.minimum if command.minimum is None and mode is before.mode else command.minimum
        binding = ChannelBinding(asker.workspace, asker.channel, mode, database, minimum, asker.user)
        reply = watching_reply(await self._desk.watching.watch(binding), database)
        return await self._answers.with_invitation(asker, asker.channel, reply)

    async def _status(self, asker: Asker) -> Reply:
        binding = await self._answers.binding(asker)
        effective: DatabaseName | None
        try:
            effective = (await self._desk.watching.database_of(binding)).name
        except UserError:
            effective = None
        backend, problem = await self._answers.backend()
        reply = status_reply(
            Status(
                channel=asker.channel,
                kind_of_place="direct" if asker.channel.startswith("D") else "channel",
                binding=binding,
                effective=effective,
                databases=await self._desk.databases.all(asker.workspace),
                backend=backend,
                problem=problem,
                waiting=(await self._desk.inbox.depth()).waiting,
            )
        )
        return await self._answers.with_invitation(asker, asker.channel, reply)


def as_asker(request: CommandRequest, client: AsyncWebClient) -> Asker:
    """Who typed a command, and where."""
    return Asker(request.workspace, request.user, client, request.channel, request.kind, request.response_url)
