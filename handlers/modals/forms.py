"""Opens modals. Slack takes a trigger for three seconds after the press."""

from __future__ import annotations

import logging
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.blocks import modals
from bot.blocks.button_state import (
    MAX_METADATA,
    NOTHING_ENTERED,
    FormInput,
    FormState,
    ListState,
    SearchState,
    decode_searches,
    encode_searches,
)
from bot.blocks.home.forms import add_pictures_form
from bot.blocks.ids import ViewId
from bot.blocks.listing_forms import EditedImage, edit_form, jump_form, move_form
from bot.blocks.messages.image_details import NO_PICTURE
from bot.blocks.wording.errors import STALE_BUTTON
from bot.blocks.wording.forms import TOO_MUCH
from bot.blocks.wording.help import FORM_EXPIRED, FORMS_UNSUPPORTED
from bot.domain.catalogue import ImageRecord
from bot.domain.errors import InvalidInput, UserError
from bot.domain.identifiers import ALL_DATABASES, DatabaseName
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack_errors import code_of

log = logging.getLogger(__name__)

_EXPIRED = frozenset({"expired_trigger_id", "exchanged_trigger_id", "trigger_expired", "trigger_exchanged"})


class ModalsUnsupported(UserError):
    """This client or stand-in of Slack has no modals."""


class ModalOpener:
    """Opens each of the bot's modals with a trigger."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers

    async def open_search(self, requester: Requester, trigger_id: str, entered: FormInput = NOTHING_ENTERED) -> None:
        """Open the search form, with what was entered into it before."""
        databases = await self._answers.databases(requester)
        usual = await self._default_database(requester)
        kept = decode_searches(entered.searches) if entered.searches else None
        state = form_state(requester, database=usual, searches=kept)
        entered = replace(entered, database=entered.database or usual)
        form = modals.search_form(databases, state, entered=entered, with_conversation=not requester.channel)
        await self._open(requester, trigger_id, form)

    async def reopen(self, requester: Requester, trigger_id: str, entered: FormInput) -> None:
        """Open a form again with what was entered into it. Raises InvalidInput."""
        if entered.view == ViewId.SEARCH:
            await self.open_search(requester, trigger_id, entered)
            return
        searches = decode_searches(entered.searches)
        if entered.view == ViewId.ADD:
            searches = [replace(search, database=entered.database) for search in searches]
            await self.open_add(requester, trigger_id, searches, entity=entered.entity, note=entered.note)
        elif entered.view == ViewId.ADD_PICTURES:
            await self.open_add_pictures(requester, trigger_id, entered)
        elif entered.view == ViewId.ANOTHER_DATABASE:
            await self.open_another_database(requester, trigger_id, searches)
        else:
            raise InvalidInput(STALE_BUTTON)

    async def open_another_database(self, requester: Requester, trigger_id: str, searches: list[SearchState]) -> None:
        """Open the form that repeats searches in another database, or runs them where no database was named."""
        databases = await self._answers.databases(requester)
        state = form_state(requester, database=searches[0].database, searches=searches)
        await self._open(requester, trigger_id, modals.another_database_form(databases, state))

    async def open_add(
        self, requester: Requester, trigger_id: str, searches: list[SearchState], *, entity: str = "", note: str = ""
    ) -> None:
        """Open the form that adds pictures to a database."""
        databases = await self._answers.databases(requester)
        named = searches[0].database
        chosen = named if named and named != ALL_DATABASES else await self._default_database(requester)
        state = form_state(requester, database=chosen, searches=searches)
        form = modals.add_form(databases, state, chosen=chosen, entity=entity, note=note, searches=searches)
        await self._open(requester, trigger_id, form)

    async def open_add_pictures(
        self, requester: Requester, trigger_id: str, entered: FormInput = NOTHING_ENTERED, *, home: bool = False
    ) -> None:
        """Open the form that adds pictures that people drop or name, with what was entered into it before."""
        databases = await self._answers.databases(requester)
        kept = decode_searches(entered.searches) if entered.searches else None
        state = form_state(requester, database=entered.database, searches=kept, home=home)
        await self._open(requester, trigger_id, add_pictures_form(databases, state, entered))

    async def open_edit_image(self, requester: Requester, trigger_id: str, edited: EditedImage) -> None:
        """Open the form that gives an image another id or note. If Slack refuses its picture, open it without."""
        state = form_state(requester)
        try:
            await self._open(requester, trigger_id, edit_form(edited, state))
        except SlackApiError as error:
            if edited.picture == NO_PICTURE:
                raise
            log.warning("views.open with a picture: %s", code_of(error))
            await self._open(requester, trigger_id, edit_form(replace(edited, picture=NO_PICTURE), state))

    async def open_move_image(self, requester: Requester, trigger_id: str, record: ImageRecord) -> None:
        """Open the form that gives one image another id."""
        await self._open(requester, trigger_id, move_form(record, form_state(requester)))

    async def open_jump(self, requester: Requester, trigger_id: str, listing: ListState) -> None:
        """Open the form that shows other ids of a listing."""
        await self._open(requester, trigger_id, jump_form(listing, form_state(requester)))

    async def open_create_database(
        self, requester: Requester, trigger_id: str, *, view: bool = False, home: bool, binds: str = ""
    ) -> None:
        """Open the form that creates a database for the channel ``binds``; ``view`` puts it on top of an open modal."""
        state = replace(form_state(requester, home=home), binds=binds)
        await self._open(requester, trigger_id, modals.create_database_form(state), push=view)

    async def open_delete_database(
        self, requester: Requester, trigger_id: str, name: DatabaseName, *, home: bool = False, view: bool = False
    ) -> None:
        """Open the form that deletes a database; ``view`` puts it on top of an open modal.

        Raises NotAllowed, UnknownDatabase.
        """
        info = await self._answers.deletable_database(requester, name)
        mark = await self._dependencies.catalogue.mark(info.key)
        state = replace(form_state(requester, home=home), mark=mark)
        await self._open(requester, trigger_id, modals.delete_database_form(info, state), push=view)

    async def open_database_settings(self, requester: Requester, trigger_id: str, name: DatabaseName) -> None:
        """Open the form with a database's settings. Raises NotAllowed, UnknownDatabase."""
        info = await self._answers.changeable_database(requester, name)
        learned = await self._dependencies.feedback.current(info.key)
        form = modals.database_settings_form(info, form_state(requester, home=True), learned)
        await self._open(requester, trigger_id, form)

    async def open_watch(self, requester: Requester, trigger_id: str, channel: str, *, home: bool) -> None:
        """Open the form that sets a channel's mode."""
        databases = await self._answers.databases(requester)
        binding = await self._answers.binding(requester, channel) if channel else None
        usual = binding.database if binding and binding.database else await self._default_database(requester)
        form = modals.watch_form(databases, binding, form_state(requester, database=usual, home=home), channel=channel)
        await self._open(requester, trigger_id, form)

    async def _default_database(self, requester: Requester) -> str:
        """Return the database that the channel uses if none is named; empty if there is no single one."""
        try:
            return (await self._answers.database(requester, None)).name
        except UserError:
            return ""

    async def _open(
        self, requester: Requester, trigger_id: str, view: modals.ViewPayload, *, push: bool = False
    ) -> None:
        """Open a modal. Raises ModalsUnsupported, and UserError if the trigger has expired."""
        call = requester.client.views_push if push else requester.client.views_open
        try:
            await call(trigger_id=trigger_id, view=view)
        except SlackApiError as error:
            if code_of(error) in _EXPIRED:
                raise UserError(FORM_EXPIRED) from error
            if code_of(error) == "unknown_method":
                raise ModalsUnsupported(FORMS_UNSUPPORTED) from error
            raise


def form_state(
    requester: Requester,
    *,
    database: str = "",
    searches: list[SearchState] | None = None,
    home: bool = False,
) -> FormState:
    """Return the state of a modal that the requester opens. Raises UserError if it is too long for Slack."""
    # What a form searches is a new search, and states that differ in less take less room.
    searches = [replace(search, text="") for search in searches or ()]
    for names in (True, False):
        state = FormState(
            response_url=requester.response_url,
            channel=requester.channel,
            channel_kind=str(requester.kind),
            thread=requester.thread,
            database=database,
            state=encode_searches(searches, names=names),
            home=home,
        )
        if state.encode(MAX_METADATA) is not None:
            return state
    raise UserError(TOO_MUCH)
