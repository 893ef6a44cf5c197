"""Composes what App Home shows to one person: only what they may see, read in a few statements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.blocks.home.content import HomeContent, News, NotAdded, OpenWork
from bot.domain.catalogue import ImageRecord
from bot.domain.channels import ChannelBinding
from bot.domain.jobs import RefusedFile, WorkspaceJobs
from bot.services.access.overview import Overview
from bot.storage.ports.home import MAX_COUNTED, Visit
from handlers.moderation.settings_changes import SettingsChanges
from handlers.parsing.payloads import TableShare, decode_request, decode_share, parse_table_share
from handlers.replies.answers import AnswerComposer
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.requester import Requester

FAILURES_SHOWN = timedelta(days=7)
"""Age up to which failed messages are shown. People may still share the images again."""

MAX_PICTURES = 45
"""Databases with a picture. App Home has room for no more."""


@dataclass(frozen=True, slots=True)
class ComposedHome:
    """What App Home shows, the images of which it shows pictures, and the visit to record once Slack has taken it."""

    content: HomeContent
    shown: tuple[ImageRecord, ...]
    visit: Visit | None = None

    @property
    def lacks_pictures(self) -> bool:
        """Whether an image has no address yet."""
        return any(record.data_id not in self.content.pictures for record in self.shown)


class HomeComposer:
    """Composes App Home."""

    def __init__(self, dependencies: SlackDependencies, answers: AnswerComposer) -> None:
        self._dependencies = dependencies
        self._answers = answers
        self._settings = SettingsChanges(dependencies)

    async def compose(self, requester: Requester, opening: str = "") -> ComposedHome:
        """Return what one person may see. ``opening`` is Slack's id of the opening; empty if Home is only refreshed.

        Pictures that aren't in Slack yet are left out. Raises BackendError.
        """
        services, answers = self._dependencies, self._answers
        directory = answers.directory(requester)
        visit, infos, (backend, problem), bindings, work, is_guest = await asyncio.gather(
            services.home.visit(requester.workspace, requester.user),
            answers.databases(requester),
            answers.backend(),
            answers.watched_channels(requester),
            self._work(requester),
            directory.is_guest(requester.user),
        )
        is_new_visit = bool(opening) and (visit is None or visit.event != opening)
        before = None if visit is None else visit.seen
        known = before if is_new_visit or visit is None else visit.since
        seen = await services.overview.of(infos, requester.as_reader.audience, directory, known)
        shown = _shown(seen)
        changeable = await answers.changeable(requester, seen.databases)
        learned = await services.feedback.all_current(requester.workspace)
        content = HomeContent(
            databases=seen.databases,
            bindings=bindings,
            backend=backend,
            problem=problem,
            changeable=changeable,
            learned={name: scores for name, scores in learned.items() if name in changeable},
            changeable_channels=await self._changeable_channels(requester, bindings),
            newest=seen.newest,
            pictures=await services.presenter.known_pictures(requester.as_reader, shown),
            news=News(seen.since.at, seen.news, seen.news_cut, seen.since.origin is None),
            work=replace(work, unread=seen.unread, unprepared=seen.unprepared),
            is_guest=is_guest,
        )
        return ComposedHome(content, shown, Visit(seen.moment, before, opening) if is_new_visit else None)

    async def _changeable_channels(
        self, requester: Requester, bindings: Sequence[ChannelBinding]
    ) -> frozenset[str] | None:
        """Return the channels whose settings the person may change; None for all."""
        editors = await self._dependencies.editors.get(requester.workspace)
        if editors.everybody:
            return None
        may_change = await asyncio.gather(
            *(self._settings.may_change(requester, one.channel, editors) for one in bindings)
        )
        return frozenset(one.channel for one, allowed in zip(bindings, may_change, strict=True) if allowed)

    async def with_all_pictures(self, requester: Requester, home: ComposedHome) -> ComposedHome:
        """Return the same with pictures that had to be uploaded first. It may take some seconds."""
        pictures = await self._dependencies.presenter.pictures(requester.as_reader, home.shown)
        return replace(home, content=replace(home.content, pictures=pictures), visit=None)

    async def _work(self, requester: Requester) -> OpenWork:
        """Return what waits or failed in channels that the person can read, and to admins what can't be deleted."""
        directory, permissions = self._answers.directory(requester), self._dependencies.permissions
        jobs = await self._dependencies.job_overview.of(requester.workspace, datetime.now(UTC) - FAILURES_SHOWN)
        tables = _tables(jobs)
        channels = {one.channel for one in jobs.channels} | {one.channel for one in jobs.refusals}
        channels |= {table.message.channel for table in tables}
        readable = await directory.readable(sorted(channels), requester.user) if channels else frozenset()
        refusals = [one for one in jobs.refusals if one.channel in readable]
        newest = sorted(
            (file for one in refusals for file in one.newest), key=lambda file: file.shared_at, reverse=True
        )
        is_failing = jobs.failing_removals and await permissions.is_admin(requester.user, directory)
        return OpenWork(
            channels=tuple(one for one in jobs.channels if one.channel in readable),
            imports=tuple(
                (table.tables[0].name, table.message.channel) for table in tables if table.message.channel in readable
            ),
            failing_removals=jobs.failing_removals if is_failing else 0,
            counted=MAX_COUNTED,
            refused=tuple(map(_not_added, newest)),
            refused_total=sum(one.total for one in refusals),
        )


def _tables(jobs: WorkspaceJobs) -> list[TableShare]:
    """Return the tables that are being imported, or wait for it."""
    parsed = (parse_table_share(decode_request(payload), is_stored=True) for payload in jobs.questions)
    return [table for table in parsed if table is not None]


def _not_added(file: RefusedFile) -> NotAdded:
    message = decode_share(file.payload)
    names = {} if message is None else {one.id: one.name for one in message.files}
    author = "" if message is None else message.user
    return NotAdded(names.get(file.file, ""), author, file.channel, file.shared_at, file.reason, file.link)


def _shown(seen: Overview) -> tuple[ImageRecord, ...]:
    names = [info.key.name for info in seen.databases[:MAX_PICTURES]]
    return tuple(seen.newest[name] for name in names if name in seen.newest)
