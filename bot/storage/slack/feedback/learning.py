"""What databases learned from their labels, in SQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import astuple
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, true, update

from bot.domain.channels.feedback import LearnedScores, ScoreModel
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.catalogue.rows import bump_revision, database_id_of
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import databases, learned_scores

OPERATOR = "-"
"""Stands for whoever undoes something on the command line."""

_columns = learned_scores.c
_STANDING = _columns.undone_by == ""


class SqlLearning:
    """Implements ``storage.ports.feedback.Learning``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def newest(self, key: DatabaseKey) -> LearnedScores | None:
        """Return what a database learned last, undone or not. Raises UnknownDatabase."""
        return await self._database.read(lambda connection: _newest(connection, database_id_of(connection, key)))

    async def current(self, key: DatabaseKey) -> LearnedScores | None:
        """Return what a database learned last and nobody undid. Raises UnknownDatabase."""
        return await self._database.read(
            lambda connection: _newest(connection, database_id_of(connection, key), _STANDING)
        )

    async def all_current(self, workspace: WorkspaceId) -> Mapping[DatabaseName, LearnedScores]:
        """Return the same for each database of a workspace that learned something."""
        own = (databases.c.workspace == workspace) & _STANDING
        newest = select(func.max(_columns.id)).join_from(learned_scores, databases).where(own)
        query = select(databases.c.name, learned_scores).join_from(learned_scores, databases)
        query = query.where(_columns.id.in_(newest.group_by(_columns.database_id)))

        def work(connection: Connection) -> dict[DatabaseName, LearnedScores]:
            return {DatabaseName(row.name): _learned_of(row) for row in connection.execute(query)}

        return await self._database.read(work)

    async def add(self, key: DatabaseKey, model: ScoreModel | None, labels: int, after: int) -> bool:
        """Add what was learned, unless there is something newer than ``after``. Raises UnknownDatabase."""

        def work(connection: Connection) -> bool:
            # The revision's row is locked, so concurrent additions come one after another.
            database_id = bump_revision(connection, key)
            newest = _newest(connection, database_id)
            if newest is not None and newest.id > after:
                return False
            text = "" if model is None else json.dumps(astuple(model))
            values = {"database_id": database_id, "model": text, "labels": labels, "created_at": self._clock()}
            connection.execute(insert(learned_scores).values(**values))
            return True

        return await self._database.write(work)

    async def undo(self, key: DatabaseKey, learned: int, user: str) -> bool:
        """Undo what was learned. Return whether nobody had. Raises UnknownDatabase."""

        def work(connection: Connection) -> bool:
            wanted = (_columns.id == learned) & (_columns.database_id == bump_revision(connection, key)) & _STANDING
            undone = {"undone_by": user or OPERATOR, "undone_at": self._clock()}
            return bool(connection.execute(update(learned_scores).where(wanted).values(undone)).rowcount)

        return await self._database.write(work)


def _newest(connection: Connection, database_id: int, *conditions: ColumnElement[bool]) -> LearnedScores | None:
    wanted = select(learned_scores).where(_columns.database_id == database_id, *(conditions or (true(),)))
    row = connection.execute(wanted.order_by(_columns.id.desc()).limit(1)).first()
    return None if row is None else _learned_of(row)


def _learned_of(row: Row[Any]) -> LearnedScores:
    model = ScoreModel(*map(float, json.loads(row.model))) if row.model else None
    return LearnedScores(row.id, model, row.labels, row.created_at, row.undone_by)
