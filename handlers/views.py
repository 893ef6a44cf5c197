"""Modals that were submitted: checked at once, then a waiting view while the work is done."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.ids import InputId, ViewId
from bot.blocks.joining import joined
from bot.blocks.limits import shorten
from bot.blocks.modals import note_view, waiting_view
from bot.blocks.notices import added_reply, created_reply, database_deleted_reply, watching_reply
from bot.blocks.reply import Reply, notice
from bot.blocks.state import FormState, SearchState
from bot.conversations import ChannelBinding
from bot.errors import BackendError, DatabaseExists, InvalidInput, UserError
from bot.metrics import Metrics
from bot.models import ChannelKind, DatabaseKey, DatabaseName
from handlers import fields
from handlers.answers import Answers
from handlers.asking import Asker
from handlers.desk import Desk
from handlers.errands import Errands
from handlers.failures import UNREACHABLE
from handlers.fields import FieldErrors
from handlers.guard import errors_told
from handlers.home import HomeListener
from handlers.interactions import Submission, parse_submission
from handlers.sharing import NAME_CARRIED

log = logging.getLogger(__name__)

LOOKING = "Looking …"
ADDING = "Adding …"
DELETING = "Deleting …"
FOR_YOU = "The answer is in the channel, for you alone."
FOR_ALL = "The answer is in the channel."
DIRECTLY = "The answer is in your direct messages with me."

SETTLED_S = 0.5
"""After an acknowledgement, until Slack shows what was in it: an update that is quicker would be overwritten by it."""

Submit = Callable[["Submitted"], Awaitable[None]]


class Submitted:
    """A modal that was submitted: what was filled in, who did it, and how it is answered."""

    def __init__(self, submission: Submission, client: AsyncWebClient, ack: AsyncAck, body: Mapping[str, Any]) -> None:
        self.body = body
        self.form = submission.form
        self.state = FormState.decode(submission.metadata or "{}")
        self.response_urls = dict(submission.response_urls)
        self._view_id = submission.view_id
        self._ack = ack
        self._acknowledged_at: float | None = None
        kind = self.state.channel_kind
        self.asker = Asker(
            submission.workspace,
            submission.user,
            client,
            self.state.channel,
            ChannelKind(kind) if kind in set(ChannelKind) else ChannelKind.PRIVATE,
            self.state.response_url,
            self.state.thread,
        )

    async def close(self) -> None:
        """Acknowledge, and take all modals away."""
        await self._acknowledge(response_action="clear")

    async def refuse(self, problems: Mapping[str, str]) -> None:
        """Acknowledge, and show what is wrong at the fields."""
        await self._acknowledge(response_action="errors", errors={str(name): text for name, text in problems.items()})

    async def wait(self, text: str) -> None:
        """Acknowledge, and show that it takes a moment."""
        await self._acknowledge(response_action="update", view=waiting_view(text))

    async def finish(self, title: str, text: str) -> bool:
        """Say in the modal how it ended; whether that was seen, since it may be closed by now."""
        view = note_view(title, text)
        if self._acknowledged_at is None:
            await self._acknowledge(response_action="update", view=view)
            return True
        await asyncio.sleep(self._acknowledged_at + SETTLED_S - time.monotonic())
        try:
            await self.asker.client.views_update(view_id=self._view_id, view=view)
        except UNREACHABLE as error:
            log.info("views.update: %s", type(error).__name__)
            return False
        return True

    async def failed(self, sentence: str) -> None:
        """Say what went wrong, in the modal or else where it was opened."""
        if not await self.finish("That did not work", sentence):
            await self.asker.tell(notice(sentence))

    async def _acknowledge(self, **answer: Any) -> None:
        await self._ack(**answer)
        self._acknowledged_at = time.monotonic()


class ViewListener:
    """What a submitted modal starts."""

    def __init__(self, desk: Desk, answers: Answers, home: HomeListener, errands: Errands, metrics: Metrics) -> None:
        self._desk = desk
        self._answers = answers
        self._home = home
        self._errands = errands
        self._metrics = metrics
        self._submits: Mapping[str, Submit] = {
            ViewId.SEARCH: self._search,
            ViewId.ANOTHER_DATABASE: self._another_database,
            ViewId.ADD: self._add,
            ViewId.CREATE_DATABASE: self._create_database,
            ViewId.DELETE_DATABASE: self._delete_database,
            ViewId.DATABASE_SETTINGS: self._database_settings,
            ViewId.WATCH: self._watch,
        }

    async def on_submission(self, ack: AsyncAck, body: Mapping[str, Any], client: AsyncWebClient) -> None:
        """Any of our modals."""
        submission = parse_submission(body)
        submit = self._submits.get(submission.callback_id) if submission else None
        if submission is None or submit is None:
            await ack()
            return
        try:
            submitted = Submitted(submission, client, ack, body)
        except InvalidInput as error:
            await ack(response_action="update", view=note_view("Please try again", str(error)))
            return
        async with errors_told(submitted.failed, self._metrics):
            try:
                await submit(submitted)
            except FieldErrors as error:
                await submitted.refuse(error.problems)

    async def _left_to_workers(self, submitted: Submitted, text: str) -> bool:
        """Acknowledge what was filled in well; whether somebody else does it."""
        await submitted.wait(text)
        return await self._errands.pass_on(submitted.body)

    async def _search(self, submitted: Submitted) -> None:
        wanted = fields.search_fields(submitted.form, submitted.state.database)
        if await self._left_to_workers(submitted, LOOKING):
            return
        asker = submitted.asker = await self._at(submitted, wanted.conversation)
        plain = SearchState(channel=asker.channel, thread=asker.thread, database=wanted.database, top=wanted.top)
        states = [
            # Uploaded here, it belongs to no message.
            replace(plain, channel="", file=file.id, name=shorten(file.name, NAME_CARRIED))
            for file in wanted.files
        ]
        if wanted.url:
            states.append(replace(plain, url=wanted.url))
        for_everyone = wanted.for_everyone and bool(asker.channel)
        reader = asker.everyone if for_everyone else asker.alone
        by = asker.user if for_everyone else ""
        reply = await self._answers.search(asker, reader, states, shared_by=by)
        await (asker.tell_everyone(reply) if for_everyone else asker.tell(reply))
        where = FOR_ALL if for_everyone else FOR_YOU
        await submitted.finish("Done", where if asker.channel else DIRECTLY)

    async def _at(self, submitted: Submitted, conversation: str) -> Asker:
        """The same person in the channel that they chose for the answer."""
        asker = submitted.asker
        if not asker.channel and conversation:
            # By this address the bot answers where it is no member.
            response_url = submitted.response_urls.get(conversation, "")
            asker = replace(asker, channel=conversation, response_url=response_url)
        if not asker.channel:
            return asker
        return replace(asker, kind=await self._answers.people(asker).audience(asker.channel, asker.kind))

    async def _another_database(self, submitted: Submitted) -> None:
        database = fields.database_field(submitted.form)
        if await self._left_to_workers(submitted, LOOKING):
            return
        states = [replace(state, database=database, offset=0) for state in _searches(submitted.state)]
        await submitted.asker.tell(await self._answers.search(submitted.asker, submitted.asker.alone, states))
        await submitted.finish("Done", FOR_YOU)

    async def _add(self, submitted: Submitted) -> None:
        wanted = fields.add_fields(submitted.form, submitted.state.database)
        if await self._left_to_workers(submitted, ADDING):
            return
        asker, key = submitted.asker, DatabaseKey(submitted.asker.workspace, wanted.database)
        replies = [await self._added(asker, state, key, wanted) for state in _searches(submitted.state)]
        reply = joined(replies)
        await asker.tell(reply)
        await submitted.finish("Add to image database", reply.text)

    async def _added(self, asker: Asker, state: SearchState, key: DatabaseKey, wanted: fields.AddFields) -> Reply:
        try:
            added = await self._answers.add(asker, state, key, wanted.entity, wanted.note)
        except UserError as error:
            # One that can't be added spoils none of the others.
            return notice(str(error))
        return added if isinstance(added, Reply) else added_reply(key.name, added.entity, note=added.note)

    async def _create_database(self, submitted: Submitted) -> None:
        name, asker = fields.name_field(submitted.form), submitted.asker
        try:
            info = await self._desk.databases.create(DatabaseKey(asker.workspace, name), asker.user)
        except DatabaseExists as error:
            raise FieldErrors({InputId.NAME: str(error)}) from error
        except BackendError as error:
            log.exception("a database could not be made")
            raise FieldErrors({InputId.NAME: error.told}) from error
        await submitted.close()
        if submitted.state.home:
            await self._home.publish(asker)
            return
        reply = created_reply(info)
        if submitted.state.binds:
            binding = await self._desk.watching.adopt(asker.workspace, submitted.state.binds, name, asker.user)
            if binding.database == name:
                reply = joined([watching_reply(binding, name), reply])
                reply = await self._answers.with_invitation(asker, binding.channel, reply)
        await asker.tell(reply)

    async def _delete_database(self, submitted: Submitted) -> None:
        name = DatabaseName(submitted.state.database)
        if submitted.form.texts.get(InputId.NAME, "").strip().lower() != name:
            raise FieldErrors({InputId.NAME: f"That is not its name: type {name} to delete it."})
        await submitted.wait(DELETING)
        asker = submitted.asker
        info = await self._answers.deletable_database(asker, name)
        await self._desk.databases.delete(info.key)
        reply = database_deleted_reply(name, info.images)
        await (self._home.publish(asker) if submitted.state.home else asker.tell(reply))
        await submitted.finish("Done", reply.text)
        await self._desk.uploads.sweep(asker.workspace, asker.client)

    async def _database_settings(self, submitted: Submitted) -> None:
        asker = submitted.asker
        try:
            info = await self._answers.changeable_database(asker, DatabaseName(submitted.state.database))
        except UserError as error:
            raise FieldErrors({InputId.HINTS: str(error)}) from error
        hints = bool(submitted.form.choices.get(InputId.HINTS))
        await self._desk.catalogue.set_hints(info.key, hints_at_hidden=hints)
        await submitted.close()
        await self._home.publish(asker)

    async def _watch(self, submitted: Submitted) -> None:
        wanted, asker = fields.watch_fields(submitted.form, submitted.state.database), submitted.asker
        channel = submitted.state.channel or wanted.channel
        if not channel:
            raise FieldErrors({InputId.CHANNEL: "Choose a channel."})
        binding = ChannelBinding(asker.workspace, channel, wanted.mode, wanted.database, wanted.minimum, asker.user)
        try:
            await self._desk.watching.watch(binding)
        except UserError as error:
            raise FieldErrors({InputId.DATABASE: str(error)}) from error
        await submitted.close()
        if submitted.state.home:
            await self._home.publish(asker)
        else:
            reply = watching_reply(binding, wanted.database)
            await asker.tell(await self._answers.with_invitation(asker, channel, reply))


def _searches(state: FormState) -> list[SearchState]:
    """The searches that a modal is about. Raises InvalidInput."""
    return [SearchState.decode(line) for line in state.state.split("\n")]
