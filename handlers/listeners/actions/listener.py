"""Button listener for messages, modals and App Home. A button's value holds all its state, so old buttons work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import (
    AddState,
    CommandState,
    CompareState,
    FormInput,
    FormState,
    NameState,
    SearchState,
    decode_comparison,
    decode_option,
    decode_searches,
)
from bot.blocks.home.databases import REPORT
from bot.blocks.ids import ActionId
from bot.blocks.messages.notices import watching_reply
from bot.blocks.messages.results.actions import COMPARE, MENU_ACTIONS
from bot.blocks.wording.errors import OTHER_ORGANISATION, STALE_BUTTON
from bot.domain.errors import InvalidInput, UserError
from bot.domain.identifiers import DatabaseName
from bot.telemetry.metrics import Metrics
from handlers.errors import report_errors, with_progress
from handlers.inbox.deferred_requests import RequestDeferral
from handlers.listeners.actions.feedback import FeedbackActions
from handlers.listeners.actions.history import HistoryActions
from handlers.listeners.actions.images import ImageActions, opener_of
from handlers.listeners.actions.reports import ReportActionListener
from handlers.listeners.app_home import HomeListener
from handlers.listeners.commands import CommandListener
from handlers.modals.forms import ModalOpener
from handlers.moderation.settings_changes import SettingsChanges
from handlers.parsing.payloads.interactions import ActionRequest, parse_action
from handlers.replies import delivery
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.additions import AdditionComposer
from handlers.replies.images.asked_pictures import asked_pictures
from handlers.replies.images.comparisons import ComparisonComposer
from handlers.replies.images.part_choice import part_choice
from handlers.replies.requester import Requester

NEEDS_PICTURE = frozenset(
    {
        ActionId.MORE,
        ActionId.SHARE,
        ActionId.CHOOSE_PART,
        ActionId.SEARCH_PART,
        ActionId.ADD_AS,
        ActionId.ADD_ANYWAY,
        ActionId.RATE,
    }
)
"""Actions that may have to read the picture again, if the result is no longer cached."""

HandleAction = Callable[[ActionRequest, Requester], Awaitable[None]]


class ActionListener:
    """Handles button presses."""

    def __init__(
        self,
        dependencies: SlackDependencies,
        answers: AnswerComposer,
        forms: ModalOpener,
        home: HomeListener,
        commands: CommandListener,
        *,
        deferral: RequestDeferral,
        metrics: Metrics,
        reports: ReportActionListener,
    ) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._additions = AdditionComposer(dependencies, answers)
        self._comparisons = ComparisonComposer(dependencies, answers)
        self._forms = forms
        self._deferral = deferral
        self._home = home
        self._commands = commands
        self._metrics = metrics
        images = ImageActions(dependencies, answers, forms)
        self._handlers: Mapping[str, HandleAction] = {
            **reports.handlers,
            ActionId.MORE: self._more,
            ActionId.ANOTHER_DATABASE: self._another_database,
            ActionId.ADD_THIS: self._add_this,
            ActionId.ADD_AS: self._add_carried,
            ActionId.ADD_ANYWAY: self._add_carried,
            ActionId.OPEN_ADD: self._open_add,
            ActionId.ADD_PICTURES: self._open_add_pictures,
            ActionId.SHARE: self._share,
            ActionId.CHOOSE_PART: self._choose_part,
            ActionId.SEARCH_PART: self._search_part,
            ActionId.LIST_PAGE: images.list_page,
            ActionId.LIST_SORT: images.sort,
            ActionId.LIST_JUMP: images.open_jump,
            ActionId.IMAGE_MENU: images.image_menu,
            ActionId.FIND_PAGE: images.find_page,
            ActionId.FIND_WORDS: images.find_words,
            ActionId.DELETE_ENTITY: images.delete_entity,
            ActionId.EDIT_IMAGE: images.open_edit,
            ActionId.DELETE_IMAGE: images.delete_image,
            ActionId.MERGE_ENTITIES: images.merge_entities,
            ActionId.ENTITY_PHOTOS: images.photos,
            ActionId.REOPEN_FORM: self._reopen_form,
            ActionId.DISMISS: self._dismiss,
            ActionId.CREATE_DATABASE: self._create_database,
            ActionId.DELETE_DATABASE: self._delete_database,
            ActionId.DATABASE_SETTINGS: self._database_settings,
            ActionId.OPEN_SEARCH: self._open_search,
            ActionId.WATCH: self._watch,
            ActionId.UNWATCH: self._unwatch,
            **FeedbackActions(dependencies, answers, home).handlers,
            **HistoryActions(dependencies, answers).handlers,
        }

    async def on_action(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Acknowledge and handle any button, including those of older versions."""
        await ack()
        request = parse_action(body)
        if request is None:
            return
        requester = Requester.of(request, client)
        async with report_errors(requester.reply_sentence, self._metrics):
            if request.user_workspace not in {"", request.workspace}:
                # A member of another organisation in a Slack Connect channel may see only what the whole channel saw.
                raise UserError(OTHER_ORGANISATION)
            if request.action_id == ActionId.MENU:
                request = _chosen(request)
            if request.action_id == ActionId.DATABASE_MENU:
                request = _chosen_for_database(request)
            if request.action_id == ActionId.COMPARE:
                await self._compare(request, requester, body)
                return
            if request.action_id == ActionId.RUN_COMMAND:
                await self._run_command(request, requester, body)
                return
            handle = self._handlers.get(request.action_id)
            if handle is None:
                raise InvalidInput(STALE_BUTTON)
            if request.action_id in NEEDS_PICTURE and await self._deferral.defer(body, requester.reply_sentence):
                return
            async with self._home.refreshed(request, requester):
                await with_progress(handle(request, requester), requester.reply_sentence)

    async def _run_command(self, request: ActionRequest, requester: Requester, body: Mapping[str, Any]) -> None:
        command = CommandState.decode(request.value).text
        # The button's message is the bot's own, so an image that the command adds isn't from there.
        requester = replace(requester, message="")
        await self._commands.run_text(requester, command, request.trigger_id, defer=body)

    async def _compare(self, request: ActionRequest, requester: Requester, body: Mapping[str, Any]) -> None:
        state = CompareState.decode(request.value)
        view_id = request.view_id
        if not view_id:
            view_id = await self._comparisons.open(requester, request.trigger_id)
            # A worker goes on in the modal that this process has opened.
            body = {**body, "view": {"id": view_id}} if view_id else body
        say = partial(self._comparisons.say, requester, view_id)
        async with report_errors(say, self._metrics):
            if await self._deferral.defer(body, say):
                return
            work = self._comparisons.compare(requester, state)
            # The modal says from the beginning that it takes a moment.
            reply = await (work if view_id else with_progress(work, requester.reply_sentence))
            await self._comparisons.show(requester, view_id, reply)

    async def _more(self, request: ActionRequest, requester: Requester) -> None:
        state = SearchState.decode(request.value)
        reply = await self._answers.search(requester, requester.as_reader, [state], is_new=False)
        # Replace only ephemeral messages: other people may still be reading the first page of a public one.
        await requester.reply_privately(reply, replace=request.is_ephemeral)

    async def _another_database(self, request: ActionRequest, requester: Requester) -> None:
        await self._forms.open_another_database(requester, request.trigger_id, decode_searches(request.value))

    async def _add_this(self, request: ActionRequest, requester: Requester) -> None:
        await self._forms.open_add(requester, request.trigger_id, decode_searches(request.value))

    async def _add_carried(self, request: ActionRequest, requester: Requester) -> None:
        state = AddState.decode(request.value)
        anyway = request.action_id == ActionId.ADD_ANYWAY
        reply = await self._additions.add_carried(requester, state, anyway=anyway)
        await requester.reply_privately(reply, replace=request.is_ephemeral and not state.stays)

    async def _open_add(self, request: ActionRequest, requester: Requester) -> None:
        state = AddState.decode(request.value)
        await self._additions.check_may_add(requester, state)
        await self._forms.open_add(requester, request.trigger_id, state.pictures, entity=state.entity, note=state.note)

    async def _open_add_pictures(self, request: ActionRequest, requester: Requester) -> None:
        database = NameState.decode(request.value).database
        entered = FormInput(database=database)
        await self._forms.open_add_pictures(requester, request.trigger_id, entered, home=self._home.is_home(request))

    async def _share(self, request: ActionRequest, requester: Requester) -> None:
        states = decode_searches(request.value)
        kind = await self._answers.directory(requester).audience(requester.channel, requester.kind)
        sharer = replace(requester, kind=kind)
        asked = await asked_pictures(sharer, states)
        reply = await self._answers.search(
            sharer, sharer.channel_reader, states, shared_by=requester.user, asked=asked, is_new=False
        )
        await sharer.reply_publicly(reply)

    async def _choose_part(self, request: ActionRequest, requester: Requester) -> None:
        state = SearchState.decode(request.value)
        await requester.reply_privately(await part_choice(self._dependencies, requester, state))

    async def _search_part(self, request: ActionRequest, requester: Requester) -> None:
        state = SearchState.decode(request.value)
        # The choice stays, so that people can try other parts.
        reply = await self._answers.search(requester, requester.as_reader, [state], is_new=False)
        await requester.reply_privately(reply)

    async def _dismiss(self, request: ActionRequest, requester: Requester) -> None:
        if requester.response_url:
            await delivery.delete_original(request.response_url)

    async def _create_database(self, request: ActionRequest, requester: Requester) -> None:
        is_home = self._home.is_home(request)
        if request.view_id and not is_home:
            requester = opener_of(request, requester)
            await self._forms.open_create_database(requester, request.trigger_id, view=True, home=False)
            return
        channel = NameState.decode(request.value).channel if request.value else ""
        # An offer in a channel carries the channel's id. Direct messages have no settings.
        offered_channel = "" if channel.startswith("D") else channel
        await self._forms.open_create_database(requester, request.trigger_id, home=is_home, binds=offered_channel)

    async def _delete_database(self, request: ActionRequest, requester: Requester) -> None:
        name, is_home = DatabaseName(NameState.decode(request.value).database), self._home.is_home(request)
        # In the form with the database's settings. Older messages and Homes have the button, too.
        in_form = bool(request.view_id) and not is_home
        if in_form:
            is_home = FormState.decode(request.view_metadata or "{}").home
        await self._forms.open_delete_database(requester, request.trigger_id, name, home=is_home, view=in_form)

    async def _database_settings(self, request: ActionRequest, requester: Requester) -> None:
        name = DatabaseName(NameState.decode(request.value).database)
        await self._forms.open_database_settings(requester, request.trigger_id, name)

    async def _open_search(self, request: ActionRequest, requester: Requester) -> None:
        await self._forms.open_search(requester, request.trigger_id)

    async def _reopen_form(self, request: ActionRequest, requester: Requester) -> None:
        await self._forms.reopen(requester, request.trigger_id, FormInput.decode(request.value))

    async def _watch(self, request: ActionRequest, requester: Requester) -> None:
        channel = NameState.decode(request.value).channel if request.value else ""
        await self._forms.open_watch(requester, request.trigger_id, channel, home=self._home.is_home(request))

    async def _unwatch(self, request: ActionRequest, requester: Requester) -> None:
        channel = NameState.decode(request.value).channel
        binding = await SettingsChanges(self._dependencies).unwatch(requester, channel)
        if not self._home.is_home(request):
            await requester.reply_privately(watching_reply(binding, None))


def _chosen(request: ActionRequest) -> ActionRequest:
    """Return the press of the button that an option of a menu stands for. Raises InvalidInput."""
    if request.selected.startswith(COMPARE):
        _, comparison = decode_comparison(request.selected)
        return replace(request, action_id=ActionId.COMPARE, value=comparison.encode() or "")
    name, state = decode_option(request.selected)
    action = MENU_ACTIONS.get(name)
    if action is None:
        raise InvalidInput(STALE_BUTTON)
    return replace(request, action_id=action, value=state.encode() or "")


def _chosen_for_database(request: ActionRequest) -> ActionRequest:
    """Return the command that an option of a database's menu stands for. Raises InvalidInput."""
    name, _, database = request.selected.partition("|")
    if name != REPORT or not database:
        raise InvalidInput(STALE_BUTTON)
    command = CommandState(text=f"report in:{database}")
    return replace(request, action_id=ActionId.RUN_COMMAND, value=command.encode() or "")
