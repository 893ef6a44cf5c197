"""Modal listener: show mistakes at their fields, and close the form once its work is done or takes longer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import FormInput, ListState, SearchState, decode_searches, encode_searches
from bot.blocks.ids import InputId, ViewId
from bot.blocks.limits import shorten
from bot.blocks.messages.combination import joined
from bot.blocks.modals import text_view
from bot.blocks.reply import Reply
from bot.blocks.wording import forms as wording
from bot.domain.errors import InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId
from bot.telemetry.metrics import Metrics
from handlers.errors import report_errors
from handlers.inbox.deferred_requests import RequestDeferral
from handlers.inbox.share import MAX_NAME
from handlers.listeners.app_home import HomeListener
from handlers.listeners.database_forms import DatabaseForms
from handlers.listeners.picture_form import PictureForm
from handlers.listeners.submitted_modal import SubmittedModal
from handlers.modals import fields
from handlers.modals.fields import FieldErrors
from handlers.parsing.payloads.interactions import parse_submission
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.additions import Addition, AdditionComposer
from handlers.replies.images.asked_pictures import asked_pictures
from handlers.replies.images.corrections import Correction, CorrectionComposer
from handlers.replies.images.find import FindComposer
from handlers.replies.images.pages import PageComposer
from handlers.replies.requester import Requester
from handlers.slack_errors import CannotPost

HandleSubmission = Callable[[SubmittedModal], Awaitable[None]]


class ViewListener:
    """Handles modal submissions."""

    def __init__(
        self,
        dependencies: SlackDependencies,
        answers: AnswerComposer,
        home: HomeListener,
        deferral: RequestDeferral,
        metrics: Metrics,
    ) -> None:
        self._answers = answers
        self._additions = AdditionComposer(dependencies, answers)
        self._corrections = CorrectionComposer(dependencies, answers)
        self._pages = PageComposer(dependencies, answers)
        self._find = FindComposer(dependencies, answers)
        self._deferral = deferral
        self._metrics = metrics
        databases = DatabaseForms(dependencies, answers, home)
        pictures = PictureForm(dependencies, answers, home, deferral)
        self._handlers: Mapping[str, HandleSubmission] = {
            ViewId.SEARCH: self._search,
            ViewId.ANOTHER_DATABASE: self._another_database,
            ViewId.ADD: self._add,
            ViewId.ADD_PICTURES: pictures.add,
            ViewId.EDIT_IMAGE: self._edit_image,
            ViewId.LIST_JUMP: self._jump,
            ViewId.CREATE_DATABASE: databases.create,
            ViewId.DELETE_DATABASE: databases.delete,
            ViewId.DATABASE_SETTINGS: databases.change_settings,
            ViewId.WATCH: databases.watch,
        }

    async def on_submission(
        self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient, *, is_answered: bool = False
    ) -> None:
        """Validate, acknowledge and handle a submission of any of the bot's modals.

        ``is_answered``: another process has acknowledged it, and closed the modal.
        """
        submission = parse_submission(body)
        handle = self._handlers.get(submission.callback_id) if submission else None
        if submission is None or handle is None:
            await ack()
            return
        try:
            submitted = SubmittedModal(submission, client, ack, body, is_answered=is_answered)
        except InvalidInput as error:
            await ack(response_action="update", view=text_view(wording.TRY_AGAIN_TITLE, str(error)))
            return
        async with report_errors(submitted.failed, self._metrics):
            try:
                await handle(submitted)
            except FieldErrors as error:
                await submitted.refuse(error.problems)

    async def _is_deferred(self, submitted: SubmittedModal) -> bool:
        """Return whether a worker will handle a valid submission. If so, close the form."""
        if not await self._deferral.defer(submitted.body, submitted.requester.reply_sentence):
            return False
        await submitted.close()
        return True

    async def _search(self, submitted: SubmittedModal) -> None:
        state = submitted.state
        kept = [search for search in decode_searches(state.state) if search.file] if state.state else []
        wanted = fields.search_fields(
            submitted.form, state.database, has_files=bool(kept), has_channel=bool(state.channel)
        )
        files = [SearchState(file=file.id, name=shorten(file.name, MAX_NAME)) for file in wanted.files]
        files += [SearchState(file=search.file, name=search.name) for search in kept]
        submitted.entered = FormInput(
            view=ViewId.SEARCH,
            url=wanted.url,
            words=wanted.words,
            database=wanted.database,
            top=wanted.top,
            for_everyone=wanted.for_everyone,
            searches=encode_searches(files) if files else "",
        )
        if wanted.words:
            await submitted.close_after(self._answer_words(submitted, wanted), partial(_words_field, wanted))
            return
        if await self._is_deferred(submitted):
            return
        await submitted.close_after(self._answer_search(submitted, wanted, files), partial(_search_field, wanted))

    async def _answer_search(
        self, submitted: SubmittedModal, wanted: fields.SearchFields, files: Sequence[SearchState]
    ) -> None:
        requester = submitted.requester = await self._in_conversation(submitted, wanted.conversation)
        base_state = SearchState(
            channel=requester.channel, thread=requester.thread, database=wanted.database, top=wanted.top
        )
        # A file uploaded in the modal belongs to no message.
        states = [replace(base_state, channel="", file=search.file, name=search.name) for search in files]
        if wanted.url:
            states.append(replace(base_state, url=wanted.url))
        if not (wanted.for_everyone and requester.channel):
            await requester.reply_privately(await self._answers.search(requester, requester.as_reader, states))
            return
        asked = await asked_pictures(requester, states)
        reply = await self._answers.search(
            requester, requester.channel_reader, states, shared_by=requester.user, asked=asked
        )
        await requester.reply_publicly(reply)

    async def _answer_words(self, submitted: SubmittedModal, wanted: fields.SearchFields) -> None:
        """Answer the person alone: what somebody may see of the images differs."""
        requester = submitted.requester = await self._in_conversation(submitted, wanted.conversation)
        await requester.reply_privately(await self._find.find(requester, wanted.words, wanted.database, wanted.top))

    async def _in_conversation(self, submitted: SubmittedModal, conversation: str) -> Requester:
        """Return the requester with the channel chosen for the answer."""
        requester = submitted.requester
        if not requester.channel and conversation:
            # The response URL lets the bot answer in channels that it isn't a member of.
            response_url = submitted.response_urls.get(conversation, "")
            requester = replace(requester, channel=conversation, response_url=response_url)
        if not requester.channel:
            return requester
        return replace(
            requester, kind=await self._answers.directory(requester).audience(requester.channel, requester.kind)
        )

    async def _another_database(self, submitted: SubmittedModal) -> None:
        database, state = fields.database_field(submitted.form), submitted.state.state
        submitted.entered = FormInput(view=ViewId.ANOTHER_DATABASE, database=database, searches=state)
        if await self._is_deferred(submitted):
            return
        requester = submitted.requester
        states = [replace(one, database=database, offset=0, known=False, text="") for one in decode_searches(state)]

        async def answer() -> None:
            await requester.reply_privately(await self._answers.search(requester, requester.as_reader, states))

        await submitted.close_after(answer(), lambda _: InputId.DATABASE)

    async def _add(self, submitted: SubmittedModal) -> None:
        wanted = fields.add_fields(submitted.form, submitted.state.database)
        submitted.entered = FormInput(
            view=ViewId.ADD,
            database=wanted.database,
            entity=wanted.entity or "",
            note=wanted.note,
            searches=submitted.state.state,
        )
        if await self._is_deferred(submitted):
            return
        searches = decode_searches(submitted.state.state)
        if wanted.pictures is not None:
            searches = [search for place, search in enumerate(searches) if place in wanted.pictures]
        requester = submitted.requester
        addition = Addition(
            DatabaseKey(requester.workspace, wanted.database),
            wanted.entity,
            wanted.note,
            is_one_of_several=len(searches) > 1,
        )
        replies = await submitted.close_after(self._add_all(requester, searches, addition), lambda _: InputId.DATABASE)
        await requester.reply_privately(joined(replies))

    async def _add_all(self, requester: Requester, searches: Sequence[SearchState], addition: Addition) -> list[Reply]:
        if len(searches) == 1:
            return [await self._additions.add(requester, searches[0], addition)]
        return [await self._additions.add_or_explain(requester, search, addition) for search in searches]

    async def _edit_image(self, submitted: SubmittedModal) -> None:
        wanted, state = fields.edit_fields(submitted.form), submitted.state
        requester, key = submitted.requester, DatabaseKey(submitted.requester.workspace, DatabaseName(state.database))
        correction = Correction(wanted.entity, wanted.note, wanted.whole_entity)
        work = self._corrections.edit(requester, key, DataId(state.image), correction)
        await requester.reply_privately(await submitted.close_after(work, lambda _: InputId.ENTITY))

    async def _jump(self, submitted: SubmittedModal) -> None:
        prefix = fields.prefix_field(submitted.form)
        listing = replace(ListState.decode(submitted.state.state), prefix=prefix, offset=0)
        work = self._pages.page(submitted.requester, listing)
        await submitted.requester.reply_privately(await submitted.close_after(work, lambda _: InputId.PREFIX))


def _search_field(wanted: fields.SearchFields, error: Exception) -> str:
    """Return the field of the search form that an error is about."""
    if isinstance(error, CannotPost) and wanted.conversation:
        return InputId.CONVERSATION
    if isinstance(error, UnknownDatabase):
        return InputId.DATABASE
    return InputId.URL if wanted.url and not wanted.files else InputId.FILES


def _words_field(wanted: fields.SearchFields, error: Exception) -> str:
    """Return the field of the search form that an error of a search by words is about."""
    field = _search_field(wanted, error)
    return InputId.WORDS if field == InputId.FILES else field
