"""Pairs that never match again, and labels of matches, in SQL. Both go with their images."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from bot.domain.channels.reports import ExcludedPair, Label
from bot.domain.identifiers import DatabaseKey, DataId, WorkspaceId
from bot.storage.catalogue.rows import bump_revision, database_id_of
from bot.storage.sql.database import Database
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import databases, excluded_pairs, feedback_labels, images
from bot.storage.sql.sqlite import record_deletion

_columns = excluded_pairs.c
_partners = images.alias()
_PAIRS = (
    select(
        images.c.data_id,
        images.c.digest.label("image_digest"),
        images.c.fingerprint.label("image_fingerprint"),
        _columns.digest,
        _columns.fingerprint,
        _partners.c.data_id.label("partner"),
    )
    .join(excluded_pairs, _columns.image_id == images.c.id)
    .outerjoin(
        _partners,
        (_partners.c.database_id == _columns.database_id)
        & (_partners.c.digest == _columns.digest)
        & (_partners.c.id != images.c.id),
    )
)


class SqlExcludedPairs:
    """Implements ``storage.ports.moderation.ExcludedPairs``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, key: DatabaseKey) -> tuple[ExcludedPair, ...]:
        """Return the pairs of a database. Raises UnknownDatabase."""

        def work(connection: Connection) -> tuple[ExcludedPair, ...]:
            rows = connection.execute(_PAIRS.where(_columns.database_id == database_id_of(connection, key)))
            return tuple(
                ExcludedPair(
                    DataId(row.data_id),
                    row.image_digest,
                    row.image_fingerprint,
                    row.digest,
                    row.fingerprint,
                    None if row.partner is None else DataId(row.partner),
                )
                for row in rows
            )

        return await self._database.read(work)

    async def forget_workspace(self, workspace: WorkspaceId) -> None:
        """Delete the pairs of a workspace's databases, and what people said about their matches."""
        own = select(databases.c.id).where(databases.c.workspace == workspace)

        def work(connection: Connection) -> None:
            record_deletion(connection)
            for table in (excluded_pairs, feedback_labels):
                connection.execute(delete(table).where(table.c.database_id.in_(own)))

        await self._database.write(work)


def exclude_pairs(
    connection: Connection,
    key: DatabaseKey,
    data_ids: Collection[DataId],
    picture: tuple[str, bytes],
    taken: tuple[int, str, datetime],
) -> None:
    """Let images and a picture (its digest and fingerprint) never match. ``taken``: the action's id, who, and when.

    Searches see it at once, because their cached results are of another revision.
    """
    database_id = bump_revision(connection, key)
    digest, fingerprint = picture
    action, user, now = taken
    known = select(_columns.image_id).where(_columns.digest == digest)
    wanted = (images.c.database_id == database_id) & images.c.data_id.in_(data_ids) & images.c.id.not_in(known)
    for image_id in connection.execute(select(images.c.id).where(wanted)).scalars().all():
        values = {"image_id": image_id, "digest": digest, "database_id": database_id, "fingerprint": fingerprint}
        values |= {"action_id": action, "created_by": user, "created_at": now}
        connection.execute(insert(excluded_pairs).values(values))


def include_pairs(connection: Connection, key: DatabaseKey, action: int) -> None:
    """Undo ``exclude_pairs``."""
    bump_revision(connection, key)
    connection.execute(delete(excluded_pairs).where(_columns.action_id == action))


class SqlFeedback:
    """Implements ``storage.ports.moderation.Feedback``."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def record(self, label: Label) -> None:
        """Record what somebody said about a match. It replaces what they said before. Raises UnknownDatabase."""
        await self._database.write(lambda connection: record_label(connection, label, self._clock()))


def record_label(connection: Connection, label: Label, now: datetime) -> None:
    """Record a label in place of what the person said before.

    Nothing is recorded about an image that is gone, nor if the person pressed another button later.
    """
    columns, database_id = feedback_labels.c, database_id_of(connection, label.database, key_share_lock=True)
    take_advisory_locks(connection, "label", [f"{database_id} {label.data_id} {label.user}"])
    found = select(images.c.id).where(images.c.database_id == database_id, images.c.data_id == label.data_id)
    image_id = connection.execute(found).scalar()
    if image_id is None:
        return
    same = (columns.image_id == image_id) & (columns.fingerprint == label.fingerprint) & (columns.user == label.user)
    last = connection.execute(select(columns.pressed_at).where(same)).scalar()
    if label.pressed_at and last is not None and last > label.pressed_at:
        return
    record_deletion(connection)
    connection.execute(delete(feedback_labels).where(same))
    if label.is_same is None:
        return
    values = {"image_id": image_id, "database_id": database_id, "fingerprint": label.fingerprint, "user": label.user}
    values |= {"is_same": label.is_same, "score": label.score, "verdict": str(label.verdict), "created_at": now}
    values |= {"by_likeness": label.by_likeness, "lead": label.lead}
    values |= {"channel": label.channel, "message": label.message, "file": label.file}
    values |= {"pressed_at": label.pressed_at}
    connection.execute(insert(feedback_labels).values(values))
