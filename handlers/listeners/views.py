"""Modal listener: validate a submission at once, then show a progress view while the work is done."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import SearchState, decode_searches
from bot.blocks.ids import InputId, ViewId
from bot.blocks.limits import shorten
from bot.blocks.messages.additions import asks_anything
from bot.blocks.messages.combination import joined
from bot.blocks.messages.notices import created_reply, database_deleted_reply, watching_reply
from bot.blocks.modals import text_view
from bot.blocks.wording import forms as wording
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding
from bot.domain.errors import BackendError, InvalidInput, UserError
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId
from bot.telemetry.metrics import Metrics
from handlers.errors import DELETION_PROGRESS_AFTER_S, report_errors, with_progress
from handlers.inbox.deferred_requests import RequestDeferral
from handlers.inbox.share import MAX_NAME
from handlers.listeners.app_home import HomeListener
from handlers.listeners.submitted_modal import SubmittedModal
from handlers.modals import fields
from handlers.modals.fields import FieldErrors
from handlers.parsing import grammar
from handlers.parsing.payloads.interactions import parse_submission
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.images.additions import Addition, AdditionComposer
from handlers.replies.images.corrections import Correction, CorrectionComposer
from handlers.replies.images.find import FindComposer
from handlers.replies.requester import Requester

log = logging.getLogger(__name__)

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
        self._dependencies = dependencies
        self._answers = answers
        self._additions = AdditionComposer(dependencies, answers)
        self._corrections = CorrectionComposer(dependencies, answers)
        self._find = FindComposer(dependencies, answers)
        self._home = home
        self._deferral = deferral
        self._metrics = metrics
        self._handlers: Mapping[str, HandleSubmission] = {
            ViewId.SEARCH: self._search,
            ViewId.ANOTHER_DATABASE: self._another_database,
            ViewId.ADD: self._add,
            ViewId.EDIT_IMAGE: self._edit_image,
            ViewId.CREATE_DATABASE: self._create_database,
            ViewId.DELETE_DATABASE: self._delete_database,
            ViewId.DATABASE_SETTINGS: self._database_settings,
            ViewId.WATCH: self._watch,
        }

    async def on_submission(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Validate, acknowledge and handle a submission of any of the bot's modals."""
        submission = parse_submission(body)
        handle = self._handlers.get(submission.callback_id) if submission else None
        if submission is None or handle is None:
            await ack()
            return
        try:
            submitted = SubmittedModal(submission, client, ack, body)
        except InvalidInput as error:
            await ack(response_action="update", view=text_view(wording.TRY_AGAIN_TITLE, str(error)))
            return
        async with report_errors(submitted.failed, self._metrics):
            try:
                await handle(submitted)
            except FieldErrors as error:
                await submitted.refuse(error.problems)

    async def _defer(self, submitted: SubmittedModal, text: str) -> bool:
        """Acknowledge a valid submission, and return whether a worker will handle it."""
        await submitted.wait(text)
        return await self._deferral.defer(submitted.body)

    async def _search(self, submitted: SubmittedModal) -> None:
        wanted = fields.search_fields(submitted.form, submitted.state.database)
        if wanted.words:
            await self._find_words(submitted, wanted)
            return
        if await self._defer(submitted, wording.SEARCHING):
            return
        requester = submitted.requester = await self._in_conversation(submitted, wanted.conversation)
        base_state = SearchState(
            channel=requester.channel, thread=requester.thread, database=wanted.database, top=wanted.top
        )
        states = [
            # A file uploaded in the modal belongs to no message.
            replace(base_state, channel="", file=file.id, name=shorten(file.name, MAX_NAME))
            for file in wanted.files
        ]
        if wanted.url:
            states.append(replace(base_state, url=wanted.url))
        for_everyone = wanted.for_everyone and bool(requester.channel)
        reader = requester.channel_reader if for_everyone else requester.as_reader
        shared_by = requester.user if for_everyone else ""
        reply = await self._answers.search(requester, reader, states, shared_by=shared_by)
        await (requester.reply_publicly(reply) if for_everyone else requester.reply_privately(reply))
        where = wording.RESULTS_FOR_ALL if for_everyone else wording.RESULTS_FOR_YOU
        await submitted.finish(wording.DONE, where if requester.channel else wording.RESULTS_DIRECTLY)

    async def _find_words(self, submitted: SubmittedModal, wanted: fields.SearchFields) -> None:
        """Answer the person alone: what somebody may see of the images differs."""
        await submitted.wait(wording.SEARCHING)
        requester = submitted.requester = await self._in_conversation(submitted, wanted.conversation)
        reply = await self._find.find(requester, wanted.words, wanted.database, wanted.top)
        await requester.reply_privately(reply)
        await submitted.finish(wording.DONE, wording.RESULTS_FOR_YOU if requester.channel else wording.RESULTS_DIRECTLY)

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
        database = fields.database_field(submitted.form)
        if await self._defer(submitted, wording.SEARCHING):
            return
        states = [
            replace(state, database=database, offset=0, text="") for state in decode_searches(submitted.state.state)
        ]
        await submitted.requester.reply_privately(
            await self._answers.search(submitted.requester, submitted.requester.as_reader, states)
        )
        await submitted.finish(wording.DONE, wording.RESULTS_FOR_YOU)

    async def _add(self, submitted: SubmittedModal) -> None:
        wanted = fields.add_fields(submitted.form, submitted.state.database)
        if await self._defer(submitted, wording.ADDING):
            return
        requester, states = submitted.requester, decode_searches(submitted.state.state)
        addition = Addition(
            DatabaseKey(requester.workspace, wanted.database),
            wanted.entity,
            wanted.note,
            is_one_of_several=len(states) > 1,
        )
        reply = joined([await self._additions.add_or_explain(requester, state, addition) for state in states])
        await requester.reply_privately(reply)
        text = grammar.unescape(reply.text)
        await submitted.finish(wording.ADD_TITLE, f"{text} {wording.ANSWER_QUESTION}" if asks_anything(reply) else text)

    async def _edit_image(self, submitted: SubmittedModal) -> None:
        wanted, state = fields.edit_fields(submitted.form), submitted.state
        await submitted.wait(wording.SAVING)
        requester, key = submitted.requester, DatabaseKey(submitted.requester.workspace, DatabaseName(state.database))
        correction = Correction(wanted.entity, wanted.note, wanted.whole_entity)
        reply = await self._corrections.edit(requester, key, DataId(state.image), correction)
        await requester.reply_privately(reply)
        asks = any(block["type"] == "actions" for block in reply.blocks)
        text = wording.ANSWER_QUESTION if asks else grammar.unescape(reply.text)
        await submitted.finish(wording.EDIT_TITLE if asks else wording.DONE, text)

    async def _create_database(self, submitted: SubmittedModal) -> None:
        name, requester = fields.name_field(submitted.form), submitted.requester
        try:
            info = await self._answers.create_database(requester, name)
        except UserError as error:
            raise FieldErrors({InputId.NAME: str(error)}) from error
        except BackendError as error:
            log.exception("could not create a database")
            raise FieldErrors({InputId.NAME: error.user_message}) from error
        await submitted.close()
        if submitted.state.home:
            await self._home.publish(requester)
            return
        reply = created_reply(info)
        if submitted.state.binds:
            binding = await self._dependencies.channel_settings.set_database_if_unset(
                requester.workspace, submitted.state.binds, name, requester.user
            )
            if binding.database == name:
                reply = joined([watching_reply(binding, name), reply])
                reply = await self._answers.with_invitation(requester, binding.channel, reply)
        await requester.reply_privately(reply)

    async def _delete_database(self, submitted: SubmittedModal) -> None:
        name = DatabaseName(submitted.state.database)
        if submitted.form.texts.get(InputId.NAME, "").strip().lower() != name:
            raise FieldErrors({InputId.NAME: wording.name_differs(name)})
        await submitted.wait(wording.DELETING)
        requester = submitted.requester
        info = await self._answers.deletable_database(requester, name)
        info = await self._dependencies.databases.mark_deleted(info.key, submitted.state.mark)
        await self._finish_deletion(submitted, info)
        reply = database_deleted_reply(name, info.images)
        await (self._home.publish(requester) if submitted.state.home else requester.reply_privately(reply))
        await submitted.finish(wording.DONE, reply.text)
        await self._dependencies.uploads.sweep(requester.workspace, requester.client)

    async def _finish_deletion(self, submitted: SubmittedModal, info: DatabaseInfo) -> None:
        """Delete the rows and pictures of a deleted database, and say so in the modal if that takes long."""
        work, text = self._dependencies.databases.finish_deletions(), wording.deletion_under_way(info)
        try:
            await with_progress(work, submitted.report, after_s=DELETION_PROGRESS_AFTER_S, text=text)
        except BackendError:
            # Nobody sees the database any more, and the worker for pending removals goes on.
            log.exception("a deleted database still has rows or pictures")

    async def _database_settings(self, submitted: SubmittedModal) -> None:
        requester = submitted.requester
        try:
            info = await self._answers.changeable_database(requester, DatabaseName(submitted.state.database))
        except UserError as error:
            raise FieldErrors({InputId.HINTS: str(error)}) from error
        hints, template = bool(submitted.form.choices.get(InputId.HINTS)), fields.link_field(submitted.form)
        await self._dependencies.catalogue.set_hints(info.key, hints_at_hidden=hints)
        # A form that was opened by an earlier version has no such field.
        if InputId.LINK in submitted.form.texts:
            await self._dependencies.catalogue.set_link(info.key, template)
        await submitted.close()
        await self._home.publish(requester)

    async def _watch(self, submitted: SubmittedModal) -> None:
        wanted, requester = fields.watch_fields(submitted.form, submitted.state.database), submitted.requester
        channel = submitted.state.channel or wanted.channel
        if not channel:
            raise FieldErrors({InputId.CHANNEL: wording.CHOOSE_CHANNEL})
        binding = ChannelBinding(
            requester.workspace, channel, wanted.mode, wanted.database, wanted.minimum, requester.user
        )
        try:
            await self._dependencies.channel_settings.watch(binding)
        except UserError as error:
            raise FieldErrors({InputId.DATABASE: str(error)}) from error
        await submitted.close()
        if submitted.state.home:
            await self._home.publish(requester)
        else:
            reply = watching_reply(binding, wanted.database)
            await requester.reply_privately(await self._answers.with_invitation(requester, channel, reply))
