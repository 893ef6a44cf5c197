"""What App Home shows, in SQL. Implements ``storage.ports.home.HomeRecords``.

Each statement is about all databases, so that their number doesn't matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, insert, or_, select, union, update

from bot.domain.catalogue import ImageRecord, Moment, NewImages
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseName, WorkspaceId
from bot.storage.catalogue.origins import find_records
from bot.storage.catalogue.texts.text_rows import TextState
from bot.storage.catalogue.visibility import is_hidden, is_visible
from bot.storage.ports.home import MAX_COUNTED, DatabasesSeen, Visit
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import (
    database_channels,
    databases,
    embedded_databases,
    embedded_images,
    embedded_pending_points,
    embedded_vectors,
    home_visits,
    image_origins,
    image_texts,
    images,
)

NEWEST_ORIGINS = 20_000
"""Newest origins of all workspaces that are looked at for new ones. Ordinary additions are found by their time, too."""

_origins, _visits = image_origins.c, home_visits.c


class SqlHome:
    """What people see of many databases, and what they had seen before."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def channels(
        self, workspace: WorkspaceId, names: Collection[DatabaseName]
    ) -> tuple[tuple[str, ChannelKind], ...]:
        """Return the conversations that images of the databases came from, with stored kinds; an empty id for none."""

        def work(connection: Connection) -> tuple[tuple[str, ChannelKind], ...]:
            rows = connection.execute(_channels(_ids_of(connection, workspace, names)))
            return tuple(sorted({(row.channel, ChannelKind(row.kind)) for row in rows}))

        return await self._database.read(work)

    async def databases_seen(
        self, workspace: WorkspaceId, names: Collection[DatabaseName], visible: VisibleOrigins, since: Moment
    ) -> DatabasesSeen:
        """Return what those who see these origins see of the databases, and what is new to them since a moment."""

        def work(connection: Connection) -> DatabasesSeen:
            now = self._clock()
            reader = _Reader(connection, workspace, _ids_of(connection, workspace, names), visible)
            news, news_cut = reader.news(since)
            moment = Moment(now, connection.execute(select(func.max(_origins.id))).scalar() or 0)
            return DatabasesSeen(
                reader.newest(), reader.hidden(), news, news_cut, reader.unread(), reader.unprepared(), moment
            )

        return await self._database.read(work)

    async def visit(self, workspace: WorkspaceId, person: str) -> Visit | None:
        """Return what a person has seen; None before the first opening."""
        query = select(home_visits).where(_is_of(workspace, person))
        row = await self._database.read(lambda connection: connection.execute(query).first())
        if row is None:
            return None
        since = None if row.since is None or row.since_at is None else Moment(row.since_at, row.since)
        return Visit(Moment(row.seen_at, row.seen), since, row.event)

    async def record_visit(self, workspace: WorkspaceId, person: str, visit: Visit) -> None:
        """Replace what a person has seen."""
        values: dict[str, Any] = {"event": visit.event, "seen": visit.seen.origin or 0, "seen_at": visit.seen.at}
        values |= {"since": visit.since and visit.since.origin, "since_at": visit.since and visit.since.at}

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "home", [f"{workspace} {person}"])
            if not connection.execute(update(home_visits).where(_is_of(workspace, person)).values(values)).rowcount:
                connection.execute(insert(home_visits).values(workspace=workspace, person=person, **values))

        await self._database.write(work)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete what all people of a workspace have seen."""

        def work(connection: Connection) -> None:
            connection.execute(delete(home_visits).where(_visits.workspace == workspace))

        await self._database.write(work)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads some databases, given by row id with their names, for those who see some origins."""

    connection: Connection
    workspace: WorkspaceId
    names: Mapping[int, DatabaseName]
    visible: VisibleOrigins

    def newest(self) -> dict[DatabaseName, ImageRecord]:
        """Return the newest image of each database, with all of its origins."""
        of_database = select(images.c.id).where(images.c.database_id == databases.c.id, self._is_seen())
        newest = of_database.order_by(images.c.created_at.desc(), images.c.id.desc()).limit(1)
        query = select(newest.correlate(databases).scalar_subquery()).where(databases.c.id.in_(list(self.names)))
        ids = [row_id for row_id in self.connection.execute(query).scalars() if row_id is not None]
        wanted = select(images, databases.c.workspace, databases.c.name).join(databases).where(images.c.id.in_(ids))
        return {record.database.name: record for record in find_records(self.connection, wanted)}

    def hidden(self) -> dict[DatabaseName, int]:
        """Return how many images of each database have no visible origin."""
        closed = [row for row in self.connection.execute(_channels(self.names)) if not self._is_open(row)]
        if not closed:
            return {}
        query = (
            select(images.c.database_id, func.count().label("hidden"))
            .where(images.c.database_id.in_({row.database_id for row in closed}))
            .where(is_hidden(sorted({row.channel for row in closed}), self.visible))
            .group_by(images.c.database_id)
        )
        return {self.names[row.database_id]: row.hidden for row in self.connection.execute(query)}

    def news(self, since: Moment) -> tuple[tuple[NewImages, ...], bool]:
        """Return the images whose first visible origin is newer, and whether there are more than were counted."""
        if not self.names:
            return (), False
        earlier = image_origins.alias()
        is_first = ~exists().where(
            earlier.c.image_id == _origins.image_id, earlier.c.id < _origins.id, is_visible(self.visible, earlier.c)
        )
        query = (
            select(images.c.database_id, _origins.author, _origins.slack_channel)
            .join_from(image_origins, images)
            .where(_origins.id.in_(self._candidates(since)), images.c.database_id.in_(list(self.names)))
            .where(_is_newer(since), is_visible(self.visible), is_first)
            .order_by(_origins.id.desc())
            .limit(MAX_COUNTED + 1)
        )
        rows = self.connection.execute(query).all()
        groups = Counter(
            (self.names[row.database_id], row.author, row.slack_channel or "") for row in rows[:MAX_COUNTED]
        )
        return tuple(NewImages(*group, images=number) for group, number in groups.items()), len(rows) > MAX_COUNTED

    def _candidates(self, since: Moment) -> Select[Any]:
        """Return a query for the ids of origins that may be new, which indexes answer however many there are."""
        newest = select(_origins.id).where(_is_newer(since)).order_by(_origins.id.desc()).limit(NEWEST_ORIGINS)
        added = (
            select(images.c.id)
            .where(images.c.database_id.in_(list(self.names)), images.c.created_at >= since.at)
            .order_by(images.c.created_at.desc())
            .limit(NEWEST_ORIGINS)
        )
        of_added = select(_origins.id).where(_origins.image_id.in_(select(added.subquery().c.id)))
        candidates = union(select(newest.subquery().c.id), of_added).subquery()
        return select(candidates.c.id)

    def unread(self) -> int:
        """Return how many images have a text that is still to be read."""
        total = (
            select(func.count()).select_from(images).where(images.c.database_id.in_(list(self.names))).scalar_subquery()
        )
        is_done = (image_texts.c.database_id.in_(list(self.names))) & (image_texts.c.state != TextState.READING)
        done = select(func.count()).select_from(image_texts).where(is_done).scalar_subquery()
        stored, read = self.connection.execute(select(total, done)).one()
        if stored <= read:
            # The usual case, in which nobody has to look at each image.
            return 0
        is_waiting = or_(image_texts.c.image_id.is_(None), image_texts.c.state == TextState.READING)
        waiting = (
            select(images.c.id).outerjoin(image_texts).where(images.c.database_id.in_(list(self.names)), is_waiting)
        )
        return self._count(waiting.where(self._is_seen()))

    def unprepared(self) -> int:
        """Return how many images have points that are still to be computed."""
        pending = (
            select(images.c.id)
            .join_from(embedded_pending_points, embedded_vectors)
            .join(embedded_images)
            .join(embedded_databases)
            .join(
                databases,
                and_(
                    databases.c.workspace == embedded_databases.c.workspace,
                    databases.c.name == embedded_databases.c.name,
                ),
            )
            .join(images, and_(images.c.database_id == databases.c.id, images.c.data_id == embedded_images.c.data_id))
        )
        ours = (embedded_databases.c.workspace == self.workspace) & databases.c.id.in_(list(self.names))
        return self._count(pending.where(ours, self._is_seen()))

    def _count(self, query: Select[Any]) -> int:
        some = query.limit(MAX_COUNTED + 1).subquery()
        return self.connection.execute(select(func.count()).select_from(some)).scalar_one()

    def _is_seen(self) -> ColumnElement[bool]:
        """Return the condition on images that have a visible origin."""
        seen = image_origins.alias()
        return exists().where(seen.c.image_id == images.c.id, is_visible(self.visible, seen.c))

    def _is_open(self, row: Any) -> bool:
        if row.channel:
            return row.channel in self.visible.channels
        return self.visible.without_channel and row.kind == ChannelKind.PUBLIC


def _ids_of(connection: Connection, workspace: WorkspaceId, names: Collection[str]) -> dict[int, DatabaseName]:
    """Return the databases of these names by row id."""
    wanted = set(names)
    query = select(databases.c.id, databases.c.name).where(databases.c.workspace == workspace)
    return {row.id: DatabaseName(row.name) for row in connection.execute(query) if row.name in wanted}


def _channels(ids: Collection[int]) -> Select[Any]:
    return select(database_channels).where(database_channels.c.database_id.in_(list(ids)))


def _is_newer(since: Moment) -> ColumnElement[bool]:
    return _origins.created_at >= since.at if since.origin is None else _origins.id > since.origin


def _is_of(workspace: WorkspaceId, person: str) -> ColumnElement[bool]:
    return (_visits.workspace == workspace) & (_visits.person == person)
