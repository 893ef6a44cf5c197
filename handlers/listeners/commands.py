"""Slash command listener: acknowledge ``/vsearch`` at once, then answer only its author."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState
from bot.blocks.messages.additions import refused_id_reply
from bot.blocks.messages.notices import (
    created_reply,
    databases_reply,
    help_reply,
    link_reply,
    no_database_reply,
    suggestion_reply,
    watching_reply,
)
from bot.blocks.reply import Reply, mrkdwn_reply
from bot.blocks.wording.channels import DIRECT_MESSAGES_HAVE_NO_MODE
from bot.blocks.wording.channels.rules import editors_set
from bot.blocks.wording.help import delete_database_needs_form
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import EntityRefused, InvalidInput, UserError
from bot.services.search.lookup import NoDatabase
from bot.telemetry.metrics import Metrics
from handlers.errors import report_errors, with_progress
from handlers.inbox.deferred_requests import RequestDeferral
from handlers.modals.forms import ModalOpener, ModalsUnsupported
from handlers.moderation.settings_changes import SettingsChanges
from handlers.parsing import grammar
from handlers.parsing.payloads import CommandRequest, parse_command
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.additions import Addition, AdditionComposer, add_state_of
from handlers.replies.images.corrections import CorrectionComposer
from handlers.replies.images.deletions import DeletionComposer
from handlers.replies.images.exports import ExportComposer
from handlers.replies.images.feedback.usage_report import UsageComposer
from handlers.replies.images.find import FindComposer
from handlers.replies.images.history_imports import HistoryComposer
from handlers.replies.images.pages import PageComposer
from handlers.replies.requester import Requester
from handlers.replies.status import StatusComposer

TAKES_LONG = (grammar.ExportCommand,)
"""Commands that always run from the inbox, so that they survive the end of the process."""

NEEDS_PICTURE = (grammar.SearchCommand, grammar.AddCommand)
"""Commands that read a picture. A process without workers defers them."""

CommandType = TypeVar("CommandType")


@dataclass(frozen=True, slots=True)
class Invocation(Generic[CommandType]):
    """A command, who sent it, and the trigger id with which it may open a modal. Mentions have an empty one."""

    requester: Requester
    command: CommandType
    trigger_id: str = ""


AnswerCommand = Callable[[Any], Awaitable[Reply | None]]
"""Answers an ``Invocation``. Returns None if it opened a modal instead. Raises UserError and BackendError."""


class CommandListener:
    """Answers slash commands, and commands in mentions and direct messages."""

    def __init__(
        self,
        dependencies: SlackDependencies,
        answers: AnswerComposer,
        forms: ModalOpener,
        deferral: RequestDeferral,
        metrics: Metrics,
        *,
        long_requests: RequestDeferral,
    ) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._additions = AdditionComposer(dependencies, answers)
        self._corrections = CorrectionComposer(dependencies, answers)
        self._deletions = DeletionComposer(dependencies, answers)
        self._find_words = FindComposer(dependencies, answers)
        self._pages = PageComposer(dependencies, answers)
        self._history = HistoryComposer(dependencies, answers)
        self._forms = forms
        self._exports = ExportComposer(dependencies, answers)
        self._usage = UsageComposer(dependencies, answers)
        self._state = StatusComposer(dependencies, answers)
        self._settings = SettingsChanges(dependencies)
        self._deferral = deferral
        self._long_requests = long_requests
        self._metrics = metrics
        self._commands: Mapping[type[Any], AnswerCommand] = {
            grammar.OpenForm: self._open_search,
            grammar.SearchCommand: self._search,
            grammar.FindCommand: self._find,
            grammar.AddCommand: self._add,
            grammar.ListImages: self._list_images,
            grammar.DeleteEntity: self._delete_entity,
            grammar.RenameEntity: self._rename,
            grammar.SetNote: self._set_note,
            grammar.ExportCommand: self._export,
            grammar.ReportCommand: self._report,
            grammar.ListDatabases: self._list_databases,
            grammar.CreateDatabase: self._create_database,
            grammar.DeleteDatabase: self._delete_database,
            grammar.LinkDatabase: self._link_database,
            grammar.WatchCommand: self._watch,
            grammar.UnwatchCommand: self._unwatch,
            grammar.SetEditors: self._set_editors,
            grammar.ImportHistory: self._import_history,
            grammar.StatusCommand: self._status,
            grammar.HelpCommand: self._help,
        }

    async def on_command(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Acknowledge and answer any ``/vsearch …`` command."""
        await ack()
        request = parse_command(body)
        if request is None:
            return
        await self.run_text(requester_of(request, client), request.text, request.trigger_id, defer=body)

    async def run_text(
        self, requester: Requester, text: str, trigger_id: str = "", *, defer: Mapping[str, Any] | None = None
    ) -> None:
        """Answer a command. ``defer``: a payload that a worker can run instead, if the command needs a picture."""
        async with report_errors(requester.reply_sentence, self._metrics):
            try:
                command = grammar.parse(text)
                if defer is not None and await self._is_deferred(command, defer, requester):
                    return
                await self._run(Invocation(requester, command, trigger_id))
            except UserError as error:
                suggestion = grammar.corrected(text, error)
                if not suggestion:
                    raise
                await requester.reply_privately(await self._suggestion(requester, error, suggestion))

    async def _suggestion(self, requester: Requester, error: UserError, suggestion: str) -> Reply:
        """Return what was wrong, and a button for what was meant. “last” stays the picture that it is now."""
        command = grammar.parse(suggestion)
        if isinstance(error, EntityRefused) and isinstance(command, grammar.AddCommand):
            with contextlib.suppress(UserError):
                state = await self._source(requester, command.source)
                key = await self._answers.database(requester, command.database)
                wanted = Addition(key, command.entity, command.note)
                return refused_id_reply(str(error), add_state_of(requester, state, wanted))
        return suggestion_reply(str(error), suggestion)

    async def _is_deferred(self, command: grammar.Command, body: Mapping[str, Any], requester: Requester) -> bool:
        if isinstance(command, TAKES_LONG):
            return await self._long_requests.defer(body, requester.reply_sentence)
        return isinstance(command, NEEDS_PICTURE) and await self._deferral.defer(body, requester.reply_sentence)

    async def _run(self, invocation: Invocation[grammar.Command]) -> None:
        requester, answer = invocation.requester, self._commands[type(invocation.command)]
        try:
            reply = await with_progress(answer(invocation), requester.reply_sentence)
        except NoDatabase:
            reply = no_database_reply(requester.channel)
        if reply is not None:
            await requester.reply_privately(reply)

    async def _open_search(self, invocation: Invocation[grammar.OpenForm]) -> Reply | None:
        if not invocation.trigger_id:
            return help_reply()
        try:
            await self._forms.open_search(invocation.requester, invocation.trigger_id)
        except ModalsUnsupported:
            return help_reply()
        return None

    async def _search(self, invocation: Invocation[grammar.SearchCommand]) -> Reply:
        requester, command = invocation.requester, invocation.command
        state = await self._source(requester, command.source)
        key = await self._answers.database(requester, command.database, or_all=True)
        state = replace(state, database=key.name, top=command.limit, minimum=command.minimum)
        return await self._answers.search(requester, requester.as_reader, [state])

    async def _find(self, invocation: Invocation[grammar.FindCommand]) -> Reply:
        command = invocation.command
        return await self._find_words.find(invocation.requester, command.words, command.database, command.limit)

    async def _add(self, invocation: Invocation[grammar.AddCommand]) -> Reply:
        requester, command = invocation.requester, invocation.command
        state = await self._source(requester, command.source)
        key = await self._answers.database(requester, command.database)
        state = replace(state, database=key.name)
        return await self._additions.add(requester, state, Addition(key, command.entity, command.note))

    async def _source(self, requester: Requester, source: grammar.ImageReference) -> SearchState:
        if source.url:
            return SearchState(url=source.url, channel=requester.channel, message=requester.message)
        return await self._dependencies.finder.newest(requester.workspace, requester.channel, requester.client)

    async def _list_images(self, invocation: Invocation[grammar.ListImages]) -> Reply:
        command = invocation.command
        return await self._pages.page_of(invocation.requester, command.database, command.prefix, command.order)

    async def _delete_entity(self, invocation: Invocation[grammar.DeleteEntity]) -> Reply:
        requester, command = invocation.requester, invocation.command
        key = await self._answers.database(requester, command.database)
        return await self._deletions.ask_to_delete(requester, key, command.entity)

    async def _rename(self, invocation: Invocation[grammar.RenameEntity]) -> Reply:
        requester, command = invocation.requester, invocation.command
        key = await self._answers.database(requester, command.database)
        return await self._corrections.rename(requester, key, command.entity, command.new)

    async def _set_note(self, invocation: Invocation[grammar.SetNote]) -> Reply:
        requester, command = invocation.requester, invocation.command
        key = await self._answers.database(requester, command.database)
        return await self._corrections.set_note(requester, key, command.entity, command.note)

    async def _export(self, invocation: Invocation[grammar.ExportCommand]) -> Reply:
        requester = invocation.requester
        key = await self._answers.database(requester, invocation.command.database)
        return await self._exports.export(requester, key)

    async def _report(self, invocation: Invocation[grammar.ReportCommand]) -> Reply:
        requester, command = invocation.requester, invocation.command
        key = await self._answers.database(requester, command.database)
        return await self._usage.report(requester, key.name, as_csv=command.as_csv)

    async def _list_databases(self, invocation: Invocation[grammar.ListDatabases]) -> Reply:
        sized = await self._answers.sized_databases(invocation.requester)
        return databases_reply(sized, await self._answers.score_fits(invocation.requester, sized))

    async def _create_database(self, invocation: Invocation[grammar.CreateDatabase]) -> Reply:
        return created_reply(await self._answers.create_database(invocation.requester, invocation.command.name))

    async def _delete_database(self, invocation: Invocation[grammar.DeleteDatabase]) -> None:
        name = invocation.command.name
        if not invocation.trigger_id:
            # A mention has no trigger id, so it can't open the modal that confirms the deletion.
            raise InvalidInput(delete_database_needs_form(name))
        await self._forms.open_delete_database(invocation.requester, invocation.trigger_id, name)

    async def _link_database(self, invocation: Invocation[grammar.LinkDatabase]) -> Reply:
        requester, command = invocation.requester, invocation.command
        if not command.template:
            info = await self._answers.known_database(requester, command.name)
            return link_reply(info.key.name, info.link)
        info = await self._answers.changeable_database(requester, command.name)
        template = "" if command.template == grammar.NO_LINK else command.template
        await self._dependencies.catalogue.set_link(info.key, template)
        return link_reply(info.key.name, template, is_new=True)

    async def _watch(self, invocation: Invocation[grammar.WatchCommand]) -> Reply:
        requester, command = invocation.requester, invocation.command
        _check_has_settings(requester)
        database = (await self._answers.database(requester, command.database)).name
        before = await self._answers.binding(requester)
        mode = command.mode or (before.mode if before.mode is not ChannelMode.OFF else ChannelMode.LOOKUP)
        # A guard's minimum is for copies, so don't carry it over to another mode.
        minimum = before.minimum if command.minimum is None and mode is before.mode else command.minimum
        await self._settings.check(requester, requester.channel)
        rules = await self._settings.rules(requester, before, mode, command.rules)
        binding = ChannelBinding(requester.workspace, requester.channel, mode, database, minimum, requester.user, rules)
        reply = watching_reply(await self._settings.watch(requester, binding), database)
        return await self._answers.with_invitation(requester, requester.channel, reply)

    async def _unwatch(self, invocation: Invocation[grammar.UnwatchCommand]) -> Reply:
        requester = invocation.requester
        _check_has_settings(requester)
        return watching_reply(await self._settings.unwatch(requester, requester.channel), None)

    async def _set_editors(self, invocation: Invocation[grammar.SetEditors]) -> Reply:
        editors = await self._settings.set_editors(invocation.requester, invocation.command.editors)
        return mrkdwn_reply(editors_set(editors))

    async def _import_history(self, invocation: Invocation[grammar.ImportHistory]) -> Reply:
        requester, command = invocation.requester, invocation.command
        if requester.channel and not requester.channel.startswith("D"):
            await self._settings.check(requester, requester.channel)
        return await self._history.begin(requester, command.database, command.since)

    async def _status(self, invocation: Invocation[grammar.StatusCommand]) -> Reply:
        return await self._state.compose(invocation.requester)

    async def _help(self, invocation: Invocation[grammar.HelpCommand]) -> Reply:
        return help_reply(invocation.command.topic)


def _check_has_settings(requester: Requester) -> None:
    if requester.channel.startswith("D"):
        raise InvalidInput(DIRECT_MESSAGES_HAVE_NO_MODE)


def requester_of(request: CommandRequest, client: AsyncWebClient) -> Requester:
    """Return the requester of a slash command."""
    return Requester(request.workspace, request.user, client, request.channel, request.kind, request.response_url)
