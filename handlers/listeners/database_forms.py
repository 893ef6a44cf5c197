"""Submitted forms about databases and channels: create and delete a database, change settings."""

from __future__ import annotations

import logging

from bot.blocks.ids import InputId
from bot.blocks.messages.combination import joined
from bot.blocks.messages.notices import created_reply, database_deleted_reply, watching_reply
from bot.blocks.wording import forms as wording
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding
from bot.domain.errors import BackendError, UnknownDatabase, UserError
from bot.domain.identifiers import DatabaseName
from bot.services.access.permissions import NotAllowed
from handlers.errors import DELETION_PROGRESS_AFTER_S, with_progress
from handlers.listeners.app_home import HomeListener
from handlers.listeners.submitted_modal import SubmittedModal
from handlers.modals import fields
from handlers.modals.fields import FieldErrors
from handlers.moderation.settings_changes import SettingsChanges
from handlers.parsing import grammar
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester

log = logging.getLogger(__name__)


class DatabaseForms:
    """Handles the submitted forms about databases and channels. Each raises FieldErrors for a mistake at a field."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer, home: HomeListener) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._home = home
        self._settings = SettingsChanges(dependencies)

    async def create(self, submitted: SubmittedModal) -> None:
        """Create a database; from an offer in a channel, let the channel use it."""
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
            binding = await self._settings.set_database_if_unset(requester, submitted.state.binds, name)
            if binding.database == name:
                reply = joined([watching_reply(binding, name), reply])
                reply = await self._answers.with_invitation(requester, binding.channel, reply)
        await requester.reply_privately(reply)

    async def delete(self, submitted: SubmittedModal) -> None:
        """Delete a database whose name the person typed."""
        name = DatabaseName(submitted.state.database)
        if submitted.form.texts.get(InputId.NAME, "").strip().lower() != name:
            raise FieldErrors({InputId.NAME: wording.name_differs(name)})
        requester = submitted.requester

        async def mark_deleted() -> DatabaseInfo:
            info = await self._answers.deletable_database(requester, name)
            return await self._dependencies.databases.mark_deleted(info.key, submitted.state.mark)

        info = await submitted.close_after(mark_deleted(), lambda _: InputId.NAME)
        if submitted.state.home:
            await self._home.publish(requester)
        await self._finish_deletion(requester, info)
        await requester.reply_privately(database_deleted_reply(name, info.images))
        await self._dependencies.uploads.sweep(requester.workspace, requester.client)

    async def change_settings(self, submitted: SubmittedModal) -> None:
        """Change the settings of a database."""
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

    async def watch(self, submitted: SubmittedModal) -> None:
        """Change what the bot does with the images of a channel."""
        wanted, requester = fields.watch_fields(submitted.form, submitted.state.database), submitted.requester
        channel = submitted.state.channel or wanted.channel
        if not channel:
            raise FieldErrors({InputId.CHANNEL: wording.CHOOSE_CHANNEL})
        before = await self._answers.binding(requester, channel)
        try:
            rules = await self._settings.rules(requester, before, wanted.mode, wanted.rules)
            binding = ChannelBinding(
                requester.workspace, channel, wanted.mode, wanted.database, wanted.minimum, requester.user, rules
            )
            await self._settings.watch(requester, binding)
        except NotAllowed as error:
            raise FieldErrors({InputId.MODE: fields.plain(str(error))}) from error
        except UserError as error:
            field = InputId.DATABASE if isinstance(error, UnknownDatabase) else InputId.REPORT_TO
            raise FieldErrors({field: fields.plain(str(error))}) from error
        await submitted.close()
        if submitted.state.home:
            await self._home.publish(requester)
        else:
            reply = watching_reply(binding, wanted.database)
            await requester.reply_privately(await self._answers.with_invitation(requester, channel, reply))

    async def _finish_deletion(self, requester: Requester, info: DatabaseInfo) -> None:
        """Delete the rows and pictures of a deleted database, and tell the person if that takes long."""
        work, text = self._dependencies.databases.finish_deletions(), grammar.unescape(wording.deletion_under_way(info))
        try:
            await with_progress(work, requester.reply_sentence, after_s=DELETION_PROGRESS_AFTER_S, text=text)
        except BackendError:
            # Nobody sees the database any more, and the worker for pending removals goes on.
            log.exception("a deleted database still has rows or pictures")
