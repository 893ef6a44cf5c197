"""What people do about a guard's reports with their buttons. Each action is shown in the report, which is edited."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.button_state import ReportState
from bot.blocks.limits import escape
from bot.blocks.messages.image_details import address
from bot.blocks.messages.reports import forget_question
from bot.blocks.reply import Reply, mrkdwn_reply
from bot.blocks.wording.channels import reports as wording
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.catalogue import ImageRecord
from bot.domain.channels.reports import Report, ReportAction, TakenAction
from bot.domain.errors import InvalidInput, UnknownDatabase, UserError
from bot.services.access.permissions import NotAllowed
from bot.storage.ports.moderation import GuardReports, ReportActions
from handlers.moderation.report_editor import ReportEditor
from handlers.moderation.settings_changes import SettingsChanges
from handlers.replies import delivery
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester
from handlers.slack.directory import SlackDirectory
from handlers.slack.messages import permalink
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)

ASK_AGAIN_AFTER = timedelta(minutes=1)
"""Age of a request to an author that was not recorded as sent, because the process died, after which it is repeated."""


class ReportButtons:
    """Handles presses of a report's buttons. Raises UserError with what to do instead."""

    def __init__(
        self,
        dependencies: SlackDependencies,
        reports: GuardReports,
        actions: ReportActions,
        editor: ReportEditor,
    ) -> None:
        self._dependencies = dependencies
        self._reports = reports
        self._actions = actions
        self._editor = editor
        self._settings = SettingsChanges(dependencies)

    async def take(self, requester: Requester, state: ReportState, action: ReportAction) -> None:
        """Do something about a report."""
        report = await self._report(requester, state)
        if action is not ReportAction.NOT_SAME:
            await self._check_moderator(requester, report)
        if action is ReportAction.ASK and not report.about.author:
            raise UserError(wording.NO_AUTHOR)
        taken = await self._take(requester, report, action)
        if action is ReportAction.ASK:
            await self._ask(requester, report, taken)
        await self._editor.edit(requester.client, requester.workspace, report.id)

    async def ask_to_forget(self, requester: Requester, state: ReportState) -> Reply:
        """Return the question before an original is deleted."""
        report = await self._report(requester, state)
        if report.settled is not None:
            await self._editor.edit(requester.client, requester.workspace, report.id)
            raise UserError(wording.done_already(report.settled))
        record = await self._original(requester, report)
        question = ReportState(report=str(report.id), image=str(record.data_id))
        return forget_question(question, record.entity, str(report.about.database))

    async def forget(self, requester: Requester, state: ReportState) -> None:
        """Delete an original some minutes from now, so that it can be undone."""
        report = await self._report(requester, state, is_question=True)
        record = await self._original(requester, report)
        if record.data_id != state.image:
            raise UserError(wording.OUT_OF_DATE)
        await self._take(requester, report, ReportAction.FORGET, record.data_id)
        await self._editor.edit(requester.client, requester.workspace, report.id)

    async def undo(self, requester: Requester, state: ReportState) -> None:
        """Undo an action."""
        report = await self._report(requester, state)
        found = next((taken for taken in report.actions if str(taken.id) == state.taken), None)
        if found is None:
            raise UserError(wording.UNDONE_ALREADY)
        if found.user != requester.user:
            await self._check_moderator(requester, report)
        undone = await self._actions.undo(report, found.id, requester.user)
        if undone is not None and undone.action is ReportAction.ASK:
            await _take_back(requester.client, undone.place)
        await self._editor.edit(requester.client, requester.workspace, report.id)
        if undone is None:
            raise UserError(wording.UNDONE_ALREADY)

    async def _report(self, requester: Requester, state: ReportState, *, is_question: bool = False) -> Report:
        """Return the report of a button, or of one in a question. Raises InvalidInput, and UserError if it is gone."""
        if not state.report.isdecimal() or len(state.report) > 15:  # noqa: PLR2004 - no id is longer
            raise InvalidInput(STALE_BUTTON)
        report = await self._reports.get(requester.workspace, int(state.report))
        if report is None:
            raise UserError(wording.OUT_OF_DATE)
        if requester.channel not in {report.about.channel, report.copy_channel}:
            raise InvalidInput(STALE_BUTTON)
        return report if is_question else await self._located(requester, report)

    async def _located(self, requester: Requester, report: Report) -> Report:
        """Record which message shows the report, if the process died before it did."""
        if requester.channel == report.about.channel and not report.thread_ts and requester.thread:
            await self._reports.set_thread([report.id], requester.message)
        elif requester.channel == report.copy_channel and not report.copy_ts and not requester.thread:
            await self._reports.set_copy([report.id], report.copy_channel, requester.message)
        else:
            return report
        return await self._reports.get(requester.workspace, report.id) or report

    async def _take(self, requester: Requester, report: Report, action: ReportAction, target: str = "") -> TakenAction:
        """Record an action. Raises UserError if it, or another that settles the report, was taken before."""
        try:
            taken = await self._actions.take(report, action, requester.user, target)
        except UnknownDatabase:
            raise UserError(wording.OUT_OF_DATE) from None
        if taken is not None:
            log.info("report %d: %s by %s", report.id, action, requester.user)
            return taken
        current = await self._reports.get(requester.workspace, report.id)
        if current is None:
            raise UserError(wording.OUT_OF_DATE)
        before = current.taken(action) or current.settled
        if action is ReportAction.ASK and before is not None and _is_unsent(before):
            return before
        # The message may still have its old buttons, because the process died before it was edited.
        await self._editor.edit(requester.client, requester.workspace, report.id)
        raise UserError(wording.done_already(before) if before else STALE_BUTTON)

    async def _check_moderator(self, requester: Requester, report: Report) -> None:
        if not await self._is_moderator(requester, report):
            raise NotAllowed(wording.ONLY_MODERATORS)

    async def _is_moderator(self, requester: Requester, report: Report) -> bool:
        user, about, directory = requester.user, report.about, self._directory(requester)
        permissions = self._dependencies.permissions
        try:
            info = await self._dependencies.databases.find(about.key)
        except UnknownDatabase:
            raise UserError(wording.OUT_OF_DATE) from None
        if await permissions.may_delete_database(info, user, directory):
            return True
        if user == about.author:
            return False
        rules = (await self._dependencies.channel_settings.get(about.workspace, about.channel)).rules
        reports = report.copy_channel or rules.report_to
        has_own_channel = bool(reports) and reports != about.channel
        if has_own_channel and await directory.can_read_or_no(reports, user):
            return True
        editors = await self._dependencies.editors.get(requester.workspace)
        if has_own_channel and editors.everybody:
            # Moderators have a channel of their own, so not everybody is one.
            return False
        return await self._settings.may_change(requester, about.channel, editors)

    async def _original(self, requester: Requester, report: Report) -> ImageRecord:
        """Return the original as stored. Raises NotAllowed unless the person may delete it."""
        about = report.about
        shown = await self._editor.original(requester, report)
        if shown is None:
            raise UserError(wording.OUT_OF_DATE)
        info = await self._dependencies.databases.find(about.key)
        record = (await self._dependencies.catalogue.records(about.key, [shown.data_id])).get(shown.data_id)
        if record is None:
            raise UserError(wording.OUT_OF_DATE)
        directory = self._directory(requester)
        await self._dependencies.permissions.check_delete_images(info, [record], requester.user, directory)
        return record

    async def _ask(self, requester: Requester, report: Report, taken: TakenAction) -> None:
        """Ask the author to remove the image. If that can't be sent, nothing was done."""
        about, client = report.about, requester.client
        link = escape(address(await permalink(client, about.channel, about.message)))
        reply = mrkdwn_reply(wording.ask_author(about.channel, link))
        try:
            place = await _send_to_author(client, report, reply)
        except UNREACHABLE as error:
            log.warning("an author could not be asked: %s", reason_of(error))
            await self._actions.undo(report, taken.id, requester.user)
            raise UserError(wording.CANNOT_ASK) from error
        await self._actions.set_place(taken.id, place)

    def _directory(self, requester: Requester) -> SlackDirectory:
        return self._dependencies.directories.of(requester.workspace, requester.client)


async def _send_to_author(client: AsyncWebClient, report: Report, reply: Reply) -> str:
    """Send to the author directly, or to them alone in the channel. Return the place of the message."""
    about = report.about
    try:
        posted = await delivery.post_editable(client, about.author, reply)
    except UNREACHABLE as error:
        log.info("an author can't be written to directly: %s", reason_of(error))
        await client.chat_postEphemeral(
            channel=about.channel, user=about.author, text=reply.text, blocks=list(reply.blocks)
        )
        return "-"
    return f"{posted.channel} {posted.ts}"


async def _take_back(client: AsyncWebClient, place: str) -> None:
    """Delete the message to an author, if it is one that can be deleted."""
    channel, _, ts = place.partition(" ")
    if ts:
        try:
            await client.chat_delete(channel=channel, ts=ts)
        except UNREACHABLE as error:
            log.info("a message to an author could not be deleted: %s", reason_of(error))


def _is_unsent(taken: TakenAction) -> bool:
    return taken.action is ReportAction.ASK and not taken.place and datetime.now(UTC) - taken.taken_at > ASK_AGAIN_AFTER
