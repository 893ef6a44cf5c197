"""Change the settings of channels: check who may do it, and announce each change in its channel."""

from __future__ import annotations

import logging
from dataclasses import replace

from bot.blocks.reply import mrkdwn_reply
from bot.blocks.wording.channels import rules as wording
from bot.domain.channels import (
    DEFAULT_RULES,
    NO_CHANGES,
    NO_RULES,
    ChannelBinding,
    ChannelKind,
    ChannelMode,
    GuardRules,
    RuleChanges,
    SettingsEditors,
)
from bot.domain.errors import InvalidInput, UserError
from bot.domain.identifiers import DatabaseName
from bot.services.access.permissions import NotAllowed
from handlers.moderation.names import ids_of_people, with_ids
from handlers.moderation.report_composer import report_reader
from handlers.replies import delivery
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack.directory import SlackDirectory
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)


class SettingsChanges:
    """Changes settings of channels for people who may do it. Raises NotAllowed to others."""

    def __init__(self, dependencies: SlackDependencies) -> None:
        self._dependencies = dependencies

    async def check(self, requester: Requester, channel: str) -> None:
        """Raise NotAllowed unless the person may change the channel's settings."""
        editors = await self._dependencies.editors.get(requester.workspace)
        if not await self.may_change(requester, channel, editors):
            raise NotAllowed(wording.not_an_editor(editors))

    async def may_change(self, requester: Requester, channel: str, editors: SettingsEditors) -> bool:
        """Return whether the person may change the channel's settings."""
        directory = self._directory(requester)
        creator = await directory.creator(channel) if editors.creators else ""
        return await self._dependencies.permissions.may_change_channel(editors, requester.user, directory, creator)

    async def rules(
        self, requester: Requester, before: ChannelBinding, mode: ChannelMode, wanted: RuleChanges
    ) -> GuardRules:
        """Return the rules of a channel after a command. Raises UserError."""
        if mode is not ChannelMode.GUARD:
            if wanted != NO_CHANGES:
                raise InvalidInput(wording.RULES_NEED_GUARD)
            return NO_RULES
        current = before.rules if before.mode is ChannelMode.GUARD else DEFAULT_RULES
        return (await with_ids(requester.workspace, wanted, requester.client)).applied_to(current)

    async def watch(self, requester: Requester, binding: ChannelBinding) -> ChannelBinding:
        """Replace the settings of a channel. Raises NotAllowed, UserError."""
        await self.check(requester, binding.channel)
        before = await self._dependencies.channel_settings.get(binding.workspace, binding.channel)
        if binding.rules.report_to and binding.rules.report_to != binding.channel:
            await self._check_reports(requester, binding)
        after = await self._dependencies.channel_settings.watch(binding)
        await self._announce(requester, before, after)
        return after

    async def unwatch(self, requester: Requester, channel: str) -> ChannelBinding:
        """Ignore the images of a channel. Raises NotAllowed."""
        await self.check(requester, channel)
        settings = self._dependencies.channel_settings
        before = await settings.get(requester.workspace, channel)
        after = await settings.unwatch(requester.workspace, channel, requester.user)
        await self._announce(requester, before, after)
        return after

    async def set_database_if_unset(self, requester: Requester, channel: str, name: DatabaseName) -> ChannelBinding:
        """Set the database of a channel that has none, if the person may do it. Return the settings."""
        settings = self._dependencies.channel_settings
        before = await settings.get(requester.workspace, channel)
        editors = await self._dependencies.editors.get(requester.workspace)
        if not await self.may_change(requester, channel, editors):
            return before
        after = await settings.set_database_if_unset(requester.workspace, channel, name, requester.user)
        await self._announce(requester, before, after)
        return after

    async def set_editors(self, requester: Requester, wanted: SettingsEditors) -> SettingsEditors:
        """Set who may change the settings of all channels. Raises NotAllowed, UserError."""
        if not await self._dependencies.permissions.is_admin(requester.user, self._directory(requester)):
            raise NotAllowed(wording.ONLY_ADMINS_SET_EDITORS)
        people = await ids_of_people(requester.workspace, wanted.people, requester.client)
        editors = replace(wanted, people=frozenset(people))
        await self._dependencies.editors.put(requester.workspace, editors, requester.user)
        return editors

    async def _check_reports(self, requester: Requester, binding: ChannelBinding) -> None:
        """Raise UserError unless the bot can post in the channel for reports, and its readers may see the images."""
        channel, directory = binding.rules.report_to, self._directory(requester)
        if not await directory.is_bot_member(channel):
            raise UserError(wording.CANNOT_REPORT_THERE)
        kind = await directory.kind(binding.channel, ChannelKind.PRIVATE)
        reader = await report_reader(
            self._dependencies.directories, requester.workspace, channel, binding.channel, requester.client
        )
        if not await self._dependencies.presenter.sees_channel(reader, binding.channel, kind):
            raise UserError(wording.REPORTS_WOULD_LEAK)

    async def _announce(self, requester: Requester, before: ChannelBinding, after: ChannelBinding) -> None:
        """Say in the channel who changed what, if anything changed. The change stands if that fails."""
        if after.has_same_settings(before):
            return
        line = wording.announcement(after, await self._effective(after))
        try:
            await delivery.post(requester.client, after.channel, mrkdwn_reply(line))
        except UNREACHABLE as error:
            log.info("a change of settings could not be announced: %s", reason_of(error))

    async def _effective(self, binding: ChannelBinding) -> DatabaseName | None:
        try:
            return (await self._dependencies.channel_settings.database_of(binding)).name
        except UserError:
            return binding.database

    def _directory(self, requester: Requester) -> SlackDirectory:
        return self._dependencies.directories.of(requester.workspace, requester.client)
