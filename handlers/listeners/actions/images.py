"""Buttons and menus about stored images: listings, photos of an entity, corrections and deletions."""

from __future__ import annotations

from dataclasses import replace

from bot.blocks.button_state import (
    EntityState,
    FindState,
    FormState,
    ImageState,
    ListState,
    MergeState,
    decode_image_option,
)
from bot.blocks.messages import listing
from bot.blocks.messages.corrections import delete_image_question
from bot.blocks.modals import text_view
from bot.blocks.reply import notice
from bot.blocks.wording.errors import STALE_BUTTON
from bot.blocks.wording.forms import DONE
from bot.blocks.wording.images import DELETION_UNDER_WAY
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import ALL_DATABASES, DatabaseKey, DatabaseName, DataId, EntityId
from handlers.errors import DELETION_PROGRESS_AFTER_S, with_progress
from handlers.modals.forms import ModalOpener
from handlers.parsing import grammar
from handlers.parsing.payloads.interactions import ActionRequest
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.corrections import CorrectionComposer
from handlers.replies.images.deletions import DeletionComposer
from handlers.replies.images.find import FindComposer
from handlers.replies.images.image_menu import ImageMenu
from handlers.replies.images.pages import PageComposer
from handlers.replies.requester import Requester


class ImageActions:
    """Handles presses of the buttons and menus about stored images."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer, forms: ModalOpener) -> None:
        self._corrections = CorrectionComposer(dependencies, answers)
        self._deletions = DeletionComposer(dependencies, answers)
        self._find = FindComposer(dependencies, answers)
        self._pages = PageComposer(dependencies, answers)
        self._menu = ImageMenu(dependencies, answers, self._pages)
        self._forms = forms

    async def list_page(self, request: ActionRequest, requester: Requester) -> None:
        """Show another page of a listing."""
        reply = await self._pages.page(requester, ListState.decode(request.value))
        await requester.reply_privately(reply, replace=request.is_ephemeral)

    async def sort(self, request: ActionRequest, requester: Requester) -> None:
        """Show a listing in another order."""
        reply = await self._pages.page(requester, ListState.decode(request.selected))
        await requester.reply_privately(reply, replace=request.is_ephemeral)

    async def open_jump(self, request: ActionRequest, requester: Requester) -> None:
        """Ask where to go on in a listing."""
        await self._forms.open_jump(requester, request.trigger_id, ListState.decode(request.value))

    async def image_menu(self, request: ActionRequest, requester: Requester) -> None:
        """Do what somebody chose from the menu of an image."""
        action, image = decode_image_option(request.selected or request.value)
        key, data_id = DatabaseKey(requester.workspace, DatabaseName(image.database)), DataId(image.image)
        if action == listing.MOVE:
            record = await self._corrections.changeable_image(requester, key, data_id)
            await self._forms.open_move_image(requester, request.trigger_id, record)
            return
        if action == listing.DELETE:
            reply = delete_image_question(await self._corrections.changeable_image(requester, key, data_id))
        elif action == listing.PHOTOS:
            reply = await self._menu.photos(requester, key, data_id)
        elif action == listing.SIMILAR:
            reply = await self._menu.similar(requester, key, data_id)
        else:
            raise InvalidInput(STALE_BUTTON)
        # The listing stays, so that people can go on with its other images.
        await requester.reply_privately(reply)

    async def find_page(self, request: ActionRequest, requester: Requester) -> None:
        """Show another page of what was found by words."""
        reply = await self._find.page(requester, FindState.decode(request.value))
        await requester.reply_privately(reply, replace=request.is_ephemeral)

    async def find_words(self, request: ActionRequest, requester: Requester) -> None:
        """Find images by words typed in App Home."""
        # In App Home no channel says which database is meant.
        reply = await self._find.find(requester, request.value, ALL_DATABASES, FindState().top)
        await requester.reply_privately(reply)

    async def photos(self, request: ActionRequest, requester: Requester) -> None:
        """Show the photos of an entity."""
        reply = await self._pages.photos(requester, EntityState.decode(request.value))
        # The answer itself stays, so only a page of photos is replaced by another one.
        await requester.reply_privately(reply, replace=request.is_ephemeral and request.is_page)

    async def delete_entity(self, request: ActionRequest, requester: Requester) -> None:
        """Delete all images of an entity."""
        state = EntityState.decode(request.value)
        key = DatabaseKey(requester.workspace, DatabaseName(state.database))

        async def report(sentence: str) -> None:
            await requester.reply_privately(notice(sentence), replace=request.is_ephemeral)

        work = self._deletions.delete(requester, key, EntityId(state.entity), state.mark)
        reply = await with_progress(work, report, after_s=DELETION_PROGRESS_AFTER_S, text=DELETION_UNDER_WAY)
        await requester.reply_privately(reply, replace=request.is_ephemeral)

    async def open_edit(self, request: ActionRequest, requester: Requester) -> None:
        """Open the form that edits an image."""
        state = ImageState.decode(request.value)
        key = DatabaseKey(requester.workspace, DatabaseName(state.database))
        edited = await self._corrections.edited_image(requester, key, DataId(state.image))
        await self._forms.open_edit_image(requester, request.trigger_id, edited)

    async def delete_image(self, request: ActionRequest, requester: Requester) -> None:
        """Delete an image."""
        state = ImageState.decode(request.value)
        key = DatabaseKey(requester.workspace, DatabaseName(state.database))
        if request.view_id:
            requester = opener_of(request, requester)
        reply = await self._corrections.delete_image(requester, key, DataId(state.image))
        # In a message, the button is below a question that is answered now.
        await requester.reply_privately(reply, replace=request.is_ephemeral and not request.view_id)
        if request.view_id:
            view = text_view(DONE, grammar.unescape(reply.text))
            await requester.client.views_update(view_id=request.view_id, view=view)

    async def merge_entities(self, request: ActionRequest, requester: Requester) -> None:
        """Give the images of an entity the id of another."""
        state = MergeState.decode(request.value)
        key = DatabaseKey(requester.workspace, DatabaseName(state.database))
        entity, new = EntityId(state.entity), EntityId(state.new)
        reply = await self._corrections.rename(requester, key, entity, new, merge=True)
        await requester.reply_privately(reply, replace=request.is_ephemeral)


def opener_of(request: ActionRequest, requester: Requester) -> Requester:
    """Return the requester of a button in a modal, with the channel in which the modal was opened."""
    state = FormState.decode(request.view_metadata or "{}")
    return replace(requester, channel=state.channel, response_url=state.response_url, thread=state.thread)
