"""Buttons in messages and in App Home. Each carries all that it needs, so that it works however old it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.ids import ActionId
from bot.blocks.notices import watching_reply
from bot.blocks.state import STALE, EntityState, FormState, ListState, NameState, SearchState
from bot.errors import InvalidInput, UserError
from bot.metrics import Metrics
from bot.models import DatabaseKey, DatabaseName, EntityId
from handlers import delivery
from handlers.answers import Answers
from handlers.asking import Asker
from handlers.desk import Desk
from handlers.errands import Errands
from handlers.forms import Forms
from handlers.guard import errors_told, with_progress
from handlers.home import HomeListener
from handlers.interactions import ActionRequest, parse_action

NOT_YOURS = "These buttons are for the people of the workspace that I serve."

LOOKING = frozenset({ActionId.MORE, ActionId.SHARE})
"""What needs a look at a picture again, if nobody has looked lately."""

Press = Callable[[ActionRequest, Asker], Awaitable[None]]


class ActionListener:
    """What a button starts."""

    def __init__(
        self, desk: Desk, answers: Answers, forms: Forms, home: HomeListener, *, errands: Errands, metrics: Metrics
    ) -> None:
        self._desk = desk
        self._answers = answers
        self._forms = forms
        self._errands = errands
        self._home = home
        self._metrics = metrics
        self._presses: Mapping[str, Press] = {
            ActionId.MORE: self._more,
            ActionId.ANOTHER_DATABASE: self._another_database,
            ActionId.ADD_THIS: self._add_this,
            ActionId.SHARE: self._share,
            ActionId.LIST_PAGE: self._list_page,
            ActionId.DELETE_ENTITY: self._delete_entity,
            ActionId.DISMISS: self._dismiss,
            ActionId.CREATE_DATABASE: self._create_database,
            ActionId.DELETE_DATABASE: self._delete_database,
            ActionId.DATABASE_SETTINGS: self._database_settings,
            ActionId.OPEN_SEARCH: self._open_search,
            ActionId.WATCH: self._watch,
            ActionId.UNWATCH: self._unwatch,
        }

    async def on_action(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Any button, also one that an older version made."""
        await ack()
        request = parse_action(body)
        if request is None:
            return
        asker = Asker.of(request, client)
        async with errors_told(asker.say, self._metrics):
            if request.user_workspace not in {"", request.workspace}:
                # From a Slack Connect channel: what is theirs to see was shown to the whole channel.
                raise UserError(NOT_YOURS)
            press = self._presses.get(request.action_id)
            if press is None:
                raise InvalidInput(STALE)
            if request.action_id in LOOKING and await self._errands.pass_on(body, asker.say):
                return
            await press(request, asker)

    async def _more(self, request: ActionRequest, asker: Asker) -> None:
        state = SearchState.decode(request.value)
        reply = await with_progress(self._answers.search(asker, asker.alone, [state]), asker.say)
        # What only they see turns its page; in what all see, others may still be at the first.
        await asker.tell(reply, replace=request.is_ephemeral)

    async def _another_database(self, request: ActionRequest, asker: Asker) -> None:
        await self._forms.open_another_database(asker, request.trigger_id, [SearchState.decode(request.value)])

    async def _add_this(self, request: ActionRequest, asker: Asker) -> None:
        await self._forms.open_add(asker, request.trigger_id, [SearchState.decode(request.value)])

    async def _share(self, request: ActionRequest, asker: Asker) -> None:
        state = replace(SearchState.decode(request.value), offset=0)
        kind = await self._answers.people(asker).audience(asker.channel, asker.kind)
        sharer = replace(asker, kind=kind)
        reply = await self._answers.search(sharer, sharer.everyone, [state], shared_by=asker.user)
        await sharer.tell_everyone(reply)

    async def _list_page(self, request: ActionRequest, asker: Asker) -> None:
        reply = await self._answers.page(asker, ListState.decode(request.value))
        await asker.tell(reply, replace=request.is_ephemeral)

    async def _delete_entity(self, request: ActionRequest, asker: Asker) -> None:
        state = EntityState.decode(request.value)
        key = DatabaseKey(asker.workspace, DatabaseName(state.database))
        reply = await self._answers.delete(asker, key, EntityId(state.entity))
        await asker.tell(reply, replace=request.is_ephemeral)

    async def _dismiss(self, request: ActionRequest, asker: Asker) -> None:
        if asker.response_url:
            await delivery.dismiss(request.response_url)

    async def _create_database(self, request: ActionRequest, asker: Asker) -> None:
        is_home = self._home.is_home(request)
        if request.view_id and not is_home:
            asker = _behind(request, asker)
            await self._forms.open_create_database(asker, request.trigger_id, view=True, home=False)
            return
        channel = NameState.decode(request.value).channel if request.value else ""
        # An offer that was made to a channel names it. Direct messages have no settings.
        offered = "" if channel.startswith("D") else channel
        await self._forms.open_create_database(asker, request.trigger_id, home=is_home, binds=offered)

    async def _delete_database(self, request: ActionRequest, asker: Asker) -> None:
        name = DatabaseName(NameState.decode(request.value).database)
        await self._forms.open_delete_database(asker, request.trigger_id, name, home=self._home.is_home(request))

    async def _database_settings(self, request: ActionRequest, asker: Asker) -> None:
        name = DatabaseName(NameState.decode(request.value).database)
        await self._forms.open_database_settings(asker, request.trigger_id, name)

    async def _open_search(self, request: ActionRequest, asker: Asker) -> None:
        await self._forms.open_search(asker, request.trigger_id)

    async def _watch(self, request: ActionRequest, asker: Asker) -> None:
        channel = NameState.decode(request.value).channel if request.value else ""
        await self._forms.open_watch(asker, request.trigger_id, channel, home=self._home.is_home(request))

    async def _unwatch(self, request: ActionRequest, asker: Asker) -> None:
        channel = NameState.decode(request.value).channel
        binding = await self._desk.watching.unwatch(asker.workspace, channel, asker.user)
        if self._home.is_home(request):
            await self._home.publish(asker)
        else:
            await asker.tell(watching_reply(binding, None))


def _behind(request: ActionRequest, asker: Asker) -> Asker:
    """Whoever pressed in a modal, in the place where it was opened."""
    state = FormState.decode(request.view_metadata or "{}")
    return replace(asker, channel=state.channel, response_url=state.response_url, thread=state.thread)
