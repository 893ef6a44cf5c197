"""Edits the messages that show a report, after something was done about it, and makes deletions that are due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import ImageRecord
from bot.domain.channels.reports import REPORTS_KEPT, Report, ReportAction, TakenAction
from bot.domain.errors import BackendError, RetryLater, UnknownDatabase, UnknownEntity
from bot.domain.identifiers import DataId, WorkspaceId
from bot.services.images.deletion import DeleteService
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.moderation import GuardReports, ReportActions
from bot.storage.ports.storage import ProcessLocks
from handlers.moderation.report_composer import ReportComposer, report_reader
from handlers.replies import delivery
from handlers.replies.requester import Requester
from handlers.slack.clients import Clients
from handlers.slack.directory import DirectoryCache
from handlers.slack_errors import UNREACHABLE, reason_of

log = logging.getLogger(__name__)

INTERVAL_S = 30.0


class ReportEditor:
    """Edits the messages of a report in place. A failure is logged: the next action edits them again."""

    def __init__(
        self, composer: ReportComposer, reports: GuardReports, locks: ProcessLocks, directories: DirectoryCache
    ) -> None:
        self._composer = composer
        self._reports = reports
        self._locks = locks
        self._directories = directories

    async def edit(self, client: AsyncWebClient, workspace: WorkspaceId, report_id: int) -> None:
        """Let all messages of a report show what it is now."""
        # One edit after the other, or an older state of the report could be shown last.
        async with self._locks.hold(f"report:{report_id}"):
            await self._edit(client, workspace, report_id)

    async def _edit(self, client: AsyncWebClient, workspace: WorkspaceId, report_id: int) -> None:
        report = await self._reports.get(workspace, report_id)
        if report is None:
            return
        about = report.about
        same = await self._reports.of_message(workspace, about.channel, about.message)
        try:
            if report.thread_ts:
                await self._edit_thread(client, [one for one in same if one.thread_ts == report.thread_ts])
            if report.copy_ts and not report.is_grouped:
                await self._edit_copy(client, [one for one in same if one.copy_ts == report.copy_ts])
        except UNREACHABLE as error:
            log.warning("a report could not be edited: %s", reason_of(error))

    async def original(self, requester: Requester, report: Report) -> ImageRecord | None:
        """Return the image that the report shows where somebody pressed a button."""
        about = report.about
        reader = await report_reader(
            self._directories, about.workspace, requester.channel, about.channel, requester.client
        )
        return await self._composer.original(report, reader)

    async def _edit_thread(self, client: AsyncWebClient, reports: Sequence[Report]) -> None:
        about = reports[0].about
        reader = await report_reader(self._directories, about.workspace, about.channel, about.channel, client)
        reply = await self._composer.in_thread(reports, reader)
        await delivery.update(client, about.channel, reports[0].thread_ts, reply.messages[0])

    async def _edit_copy(self, client: AsyncWebClient, reports: Sequence[Report]) -> None:
        about, channel = reports[0].about, reports[0].copy_channel
        reader = await report_reader(self._directories, about.workspace, channel, about.channel, client)
        reply = await self._composer.edited_copy(reports, reader)
        await delivery.update(client, channel, reports[0].copy_ts, reply.messages[0])


class DueDeletions:
    """Deletes originals that moderators forgot, once nobody can undo it any more, and old reports."""

    def __init__(
        self,
        reports: GuardReports,
        actions: ReportActions,
        catalogue: Catalogue,
        deletions: DeleteService,
        *,
        clients: Clients,
        editor: ReportEditor,
        retention_days: int | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reports = reports
        self._actions = actions
        self._catalogue = catalogue
        self._deletions = deletions
        self._clients = clients
        self._editor = editor
        self._kept = REPORTS_KEPT if retention_days is None else min(REPORTS_KEPT, timedelta(days=retention_days))
        self._clock = clock

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.run_once()
            await asyncio.sleep(INTERVAL_S)

    async def run_once(self) -> None:
        """Make the deletions that are due now. Deleting an image twice does nothing."""
        await self._reports.purge(self._clock() - self._kept)
        for report, taken in await self._actions.due():
            try:
                if taken.action is ReportAction.FORGET:
                    await self._forget(report, taken)
                await self._actions.finish(taken.id)
            except BackendError as error:
                # The next round tries it again, and the others go on.
                log.warning("an image that was to be forgotten is still there: %s", error)
                continue
            await self._show(report)

    async def _forget(self, report: Report, taken: TakenAction) -> None:
        key, data_id = report.about.key, DataId(taken.place)
        try:
            record = (await self._catalogue.records(key, [data_id])).get(data_id)
            if record is not None:
                await self._deletions.delete(key, record.entity, data_id)
        except (UnknownDatabase, UnknownEntity):
            log.info("an image that was to be forgotten is gone")

    async def _show(self, report: Report) -> None:
        connected = dict(await self._catalogue.connected())
        workspace = report.about.workspace
        try:
            client = await self._clients.client(workspace, connected.get(workspace, ""))
        except RetryLater as error:
            log.info("a report can't be edited now: %s", error)
            return
        if client is not None:
            await self._editor.edit(client, workspace, report.id)
