"""Run imports: a table shared with the bot, whose pictures are in a ZIP, beside it, or at web addresses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath

from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.messages.imports import import_reply, progress_reply
from bot.blocks.reply import Reply, notice, with_marker
from bot.blocks.wording import imports as wording
from bot.blocks.wording.images import FILE_DELETED
from bot.domain.catalogue import SlackOrigin
from bot.domain.errors import FetchRefused, InvalidInput, UserError
from bot.domain.identifiers import DatabaseKey
from bot.domain.jobs import Job
from bot.services.images.import_comparison import Claims
from bot.services.images.import_sources import PictureTable
from bot.services.images.importer import ImportOptions, ImportService, outcome_of
from bot.services.imports.archive import below
from bot.services.imports.report import ImportReport
from bot.storage.ports.inbox import Inbox
from handlers.jobs.import_pictures import ImportedPictures, SaveFile, file_name_of
from handlers.listeners.mentions import requester_of
from handlers.parsing.grammar import modifiers_of
from handlers.parsing.payloads import SharedFile, TableShare
from handlers.replies import delivery
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.slack.files import HoldMemory, SharedFileReader
from handlers.slack.messages import permalink
from handlers.slack_errors import UNREACHABLE, TargetGone

log = logging.getLogger(__name__)

MAX_TABLE_BYTES = 20_000_000
MAX_ROWS = 20_000
MAX_S = 1_800.0
"""Longest import. A longer one says so, and continues when the files are shared again."""

ROWS_AT_ONCE = 16
"""Rows of one transaction. Their pictures lie on the disk together."""

PROGRESS_EVERY_S = 3.0
LEASE_S = 15.0
"""Shortest lease of a job that is about to show its progress."""

_PROGRESS = "progress"


class ImportMessage:
    """The message in the thread that shows the progress, and turns into the report.

    It is marked, so that the next attempt after a crash finds it.
    """

    def __init__(self, client: AsyncWebClient, inbox: Inbox, share: TableShare, job: Job) -> None:
        self._client = client
        self._inbox = inbox
        self._message = share.message
        self._job = job
        self._marker = f"{job.id}-{job.message}"
        self._ts = ""
        self._shown_at = 0.0

    async def begin(self, reply: Reply) -> None:
        """Show that the import begins, in the message of an earlier attempt if there is one. Raises RetryLater."""
        message = self._message
        if self._job.attempts > 1:
            found = await delivery.marked_messages(
                self._client, message.channel, message.reply_to, message.ts, self._marker
            )
            self._ts = found.get(_PROGRESS, "")
        if not self._ts:
            marked = with_marker(reply, self._marker, _PROGRESS)
            with contextlib.suppress(*UNREACHABLE), delivery.checked_posts(self._check_lease):
                posted = await delivery.post_editable(self._client, message.channel, marked, message.reply_to)
                self._ts = posted.ts

    async def show(self, reply: Reply) -> None:
        """Show the progress, unless it was shown just now."""
        if self._ts and time.monotonic() - self._shown_at >= PROGRESS_EVERY_S:
            self._shown_at = time.monotonic()
            with contextlib.suppress(*UNREACHABLE), delivery.checked_posts(self._check_lease):
                await self._update(reply)

    async def finish(self, reply: Reply) -> None:
        """Show the report. Raises SlackApiError."""
        if self._ts:
            await self._update(reply)
        else:
            await delivery.post(self._client, self._message.channel, reply, self._message.reply_to)

    async def _check_lease(self) -> None:
        # Progress is no answer: after a crash, the next attempt need not wait until it is sure to be posted.
        if self._job.id not in await self._inbox.extend(self._job.owner, [self._job.id], LEASE_S):
            raise TargetGone("another process has the job")

    async def _update(self, reply: Reply) -> None:
        marked = with_marker(reply, self._marker, _PROGRESS)
        await delivery.update(self._client, self._message.channel, self._ts, marked)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to import, where to, and on whose behalf."""

    key: DatabaseKey
    table: PictureTable
    written: Mapping[Path, str]
    pictures: ImportedPictures
    author: str
    origin: SlackOrigin
    options: ImportOptions


class TableImportRunner:
    """Imports tables. A run after a crash goes on: it finds the images that the message brought already."""

    def __init__(
        self,
        dependencies: SlackDependencies,
        answers: AnswerComposer,
        imports: ImportService,
        files: SharedFileReader,
        *,
        save: SaveFile,
        fetch: Callable[[str], Awaitable[bytes]],
        max_image_bytes: int,
        hold_memory: HoldMemory,
    ) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._imports = imports
        self._files = files
        self._save = save
        self._fetch = fetch
        self._max_image_bytes = max_image_bytes
        self._hold_memory = hold_memory

    async def run(self, job: Job, share: TableShare, client: AsyncWebClient) -> None:
        """Import the table, and report in the thread. Raises BackendError and RetryLater, after which it runs again."""
        message = ImportMessage(client, self._dependencies.inbox, share, job)
        try:
            await message.begin(progress_reply(file_name_of(share.tables[0])))
            report = await self._import(share, client, message)
        except TargetGone as error:
            log.info("the import of job %d ends here: %s", job.id, error)
            return
        except UserError as error:
            report = notice(str(error))
        await message.finish(report)

    async def _import(self, share: TableShare, client: AsyncWebClient, message: ImportMessage) -> Reply:
        if len(share.tables) > 1:
            raise InvalidInput(wording.ONE_TABLE)
        said, update = share.message, "update" in share.message.text.lower().split()
        requester = requester_of(said, client)
        key = await self._answers.database(requester, modifiers_of(said.text).database)
        if update:
            await self._answers.changeable_database(requester, key.name)
        with tempfile.TemporaryDirectory(prefix="vsearch-import-") as folder:
            table, written = await self._read_table(share.tables[0], client, Path(folder))
            pictures = ImportedPictures(
                Path(folder),
                save=self._save,
                read=partial(self._read_picture, client),
                fetch=self._fetch,
                token=client.token or "",
                max_bytes=self._max_image_bytes,
                hold_memory=self._hold_memory,
            )
            origin = await self._origin(share, client)
            options = ImportOptions(
                update=update,
                confirm=partial(self._check_not_deleted, share, pictures),
                seen=partial(self._answers.visible, requester),
            )
            plan = _Plan(key, table, written, pictures, said.user, origin, options)
            try:
                await pictures.open([await self._files.resolve(one, client) for one in share.archives], share.pictures)
                report = await self._import_rows(plan, message)
            finally:
                pictures.close()
        return _report_of(file_name_of(share.tables[0]), key, report, table.remarks(), updated=update)

    async def _read_picture(self, client: AsyncWebClient, file: SharedFile) -> bytes:
        async def unchanged(content: bytes) -> bytes:
            return content

        return await self._files.read(await self._files.resolve(file, client), client.token or "", unchanged)

    async def _read_table(
        self, file: SharedFile, client: AsyncWebClient, folder: Path
    ) -> tuple[PictureTable, dict[Path, str]]:
        """Return the table, and what it wrote for each path. No path of a table leads to a file of this machine."""
        path, written = folder / file_name_of(file), dict[Path, str]()

        def find(text: str) -> tuple[Path, PurePath]:
            written[Path(text)] = text
            return Path(text), below(text)

        resolved = await self._files.resolve(file, client)
        await self._save(resolved.url, client.token or "", path, MAX_TABLE_BYTES)
        table = PictureTable(path, find=find)
        await asyncio.to_thread(table.remarks)
        if len(table.table.rows) > MAX_ROWS:
            raise InvalidInput(wording.too_many_rows(MAX_ROWS))
        return table, written

    async def _import_rows(self, plan: _Plan, message: ImportMessage) -> ImportReport:
        sources = await asyncio.to_thread(list, plan.table)
        report, claims, end = ImportReport(len(sources)), Claims(), time.monotonic() + MAX_S
        for start in range(0, len(sources), ROWS_AT_ONCE):
            if time.monotonic() > end:
                report.interrupted = True
                break
            rows = sources[start : start + ROWS_AT_ONCE]
            async with plan.pictures.fetched(rows, plan.written, plan.origin.file_id) as fetched:
                files = [
                    replace(one.source, author=plan.author, slack=replace(plan.origin, file_id=one.file_id))
                    for one in fetched
                ]
                decisions = await self._imports.import_files(plan.key, files, plan.options, claims)
            for place, (source, decision) in enumerate(zip(rows, decisions, strict=True), start):
                report.record(outcome_of(place, source, decision), keep=False)
            await message.show(progress_reply(plan.table.path.name, report.done, len(sources)))
        return report

    async def _origin(self, share: TableShare, client: AsyncWebClient) -> SlackOrigin:
        said = share.message
        directory = self._dependencies.directories.of(said.workspace, client)
        kind = await directory.kind_of_message(said.channel, said.kind)
        link = await permalink(client, said.channel, said.ts)
        return SlackOrigin(share.tables[0].id, said.channel, said.ts, link, kind)

    async def _check_not_deleted(self, share: TableShare, pictures: ImportedPictures) -> None:
        """Raise FetchRefused if the message or a file of it was deleted meanwhile."""
        said = share.message
        for file in (share.tables[0].id, *pictures.file_ids):
            if await self._dependencies.inbox.is_deleted(said.workspace, file, said.channel, said.ts):
                raise FetchRefused(FILE_DELETED)


def _report_of(table: str, key: DatabaseKey, report: ImportReport, remarks: Sequence[str], *, updated: bool) -> Reply:
    counts = [
        (report.added, "new"),
        (report.changed, "changed" if updated else "different"),
        (report.skipped, "already there"),
        (len(report.refused), "refused"),
    ]
    return import_reply(
        table,
        key.name,
        counts,
        different=0 if updated else report.changed,
        refused=[(one.line, one.path.name, one.reason) for one in report.refused],
        remarks=[*remarks, wording.TOO_LONG] if report.interrupted else remarks,
    )
