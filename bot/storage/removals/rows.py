"""Write pending removals inside the transaction that deletes what they belong to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from bot.domain.errors import PictureBeingRemoved
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import databases, images, pending_removals, relayed_pictures, thumbnails
from bot.storage.sql.sqlite import record_deletion

PICTURE_LOCKS = "pictures"
"""The kind of advisory lock that adds and removals of a picture take on its digest."""

_removals = pending_removals.c


class RemovalKind(StrEnum):
    """What is to be removed."""

    PICTURE = "picture"
    """The stored picture whose digest is the removal's name."""
    UPLOAD = "upload"
    """The file in Slack whose id is the removal's name."""


class RemovalState(StrEnum):
    """The progress of a removal."""

    WAITING = "waiting"
    CLAIMED = "removing"
    """A process is removing it, until ``due_at`` at the latest."""
    DONE = "removed"
    """Kept for a day, so that an add that began earlier notices that its picture was removed."""


@dataclass(frozen=True, slots=True)
class RemovalToken:
    """How far the removal of a picture was when an add began. ``claims`` counts the attempts to remove it."""

    id: int
    state: RemovalState
    claims: int
    due_at: datetime


RemovalTokens = Mapping[str, RemovalToken]
"""Tokens by digest. Pictures without a removal are left out."""

# Every add runs it. Built once, it costs little more than the work of the driver.
_STATES = select(_removals.name, _removals.id, _removals.state, _removals.claims, _removals.due_at).where(
    _removals.kind == RemovalKind.PICTURE, _removals.name.in_(bindparam("names", expanding=True))
)


def queue_pictures(connection: Connection, digests: Iterable[str], now: datetime) -> None:
    """Queue the removal of pictures. Call it in the transaction that deletes their images.

    Whether an image still uses a picture is checked right before it is removed, not here.
    """
    wanted = set(digests)
    if wanted:
        record_deletion(connection)
        take_advisory_locks(connection, PICTURE_LOCKS, wanted)
        _queue(connection, RemovalKind.PICTURE, "", wanted, now)


def queue_uploads(
    connection: Connection, workspace: str, file_ids: Iterable[str], due_at: datetime, *, picture: str | None = None
) -> None:
    """Queue the removal of files that the bot uploaded to Slack, from ``due_at`` on.

    ``picture``: the digest of the stored picture that they show. They are removed with it, if that is earlier.
    """
    wanted = set(file_ids)
    if wanted:
        take_advisory_locks(connection, "uploads", wanted)
        _queue(connection, RemovalKind.UPLOAD, workspace, wanted, due_at, picture=picture)


def remove_temporary(connection: Connection, digests: Iterable[str], now: datetime) -> None:
    """Remove what shows these pictures for a while: published comparisons now, and uploaded ones as soon as possible.

    Call it in the transaction that deletes the images.
    """
    for some in in_batches(sorted(set(digests))):
        connection.execute(delete(relayed_pictures).where(relayed_pictures.c.picture.in_(some)))
        shown = (_removals.kind == RemovalKind.UPLOAD) & _removals.picture.in_(some) & (_removals.due_at > now)
        waiting = _removals.state == RemovalState.WAITING
        connection.execute(update(pending_removals).where(shown, waiting).values(due_at=now))


def queue_unused_uploads(connection: Connection, digests: Iterable[str], now: datetime) -> None:
    """Queue the removal of uploads of pictures that are no longer in any database of the upload's workspace.

    Call it in the transaction that deletes the images.
    """
    digests = set(digests)
    remove_temporary(connection, digests, now)
    used = (
        select(images.c.id)
        .join(databases)
        .where(images.c.digest == thumbnails.c.digest, databases.c.workspace == thumbnails.c.workspace)
        .exists()
    )
    for some in in_batches(sorted(set(digests))):
        query = select(thumbnails.c.workspace, thumbnails.c.digest, thumbnails.c.file_id)
        for row in connection.execute(query.where(thumbnails.c.digest.in_(some), ~used)).all():
            forget_upload(connection, row.workspace, row.file_id)
            queue_uploads(connection, row.workspace, [row.file_id], now)


def forget_upload(connection: Connection, workspace: str, file_id: str) -> None:
    """Delete the record of an upload."""
    upload = (thumbnails.c.workspace == workspace) & (thumbnails.c.file_id == file_id)
    connection.execute(delete(thumbnails).where(upload))


def cancel_upload_removal(connection: Connection, workspace: str, file_id: str) -> None:
    """Keep a file in Slack whose upload was noted and is complete now."""
    noted = (_removals.kind == RemovalKind.UPLOAD) & (_removals.workspace == workspace) & (_removals.name == file_id)
    connection.execute(delete(pending_removals).where(noted))


def tokens_of(connection: Connection, digests: Collection[str]) -> dict[str, RemovalToken]:
    """Return how far the removals of these pictures are."""
    return {
        name: RemovalToken(row_id, RemovalState(state), claims, due_at)
        for some in in_batches(list(digests))
        for name, row_id, state, claims, due_at in connection.execute(_STATES, {"names": some})
    }


def keep_pictures(connection: Connection, digests: Collection[str], before: RemovalTokens) -> None:
    """Cancel the removal of pictures that this transaction's images use.

    ``before`` are the tokens from before the pictures were stored. Raises PictureBeingRemoved if a picture may have
    been removed since then; the caller stores it again.
    """
    take_advisory_locks(connection, PICTURE_LOCKS, digests)
    now = tokens_of(connection, digests)
    for digest, token in now.items():
        earlier = before.get(digest)
        unchanged = earlier is not None and (earlier.id, earlier.claims) == (token.id, token.claims)
        if token.state is RemovalState.CLAIMED or not (unchanged or token.claims == 0):
            raise PictureBeingRemoved(digest)
    for some in in_batches(list(now)):
        waiting = (_removals.kind == RemovalKind.PICTURE) & _removals.name.in_(some)
        # A finished removal stays for other adds that began before it.
        connection.execute(delete(pending_removals).where(waiting, _removals.state == RemovalState.WAITING))


def _queue(
    connection: Connection,
    kind: RemovalKind,
    workspace: str,
    names: Collection[str],
    due_at: datetime,
    *,
    picture: str | None = None,
) -> None:
    for some in in_batches(sorted(names)):
        ours = (_removals.kind == kind) & (_removals.workspace == workspace) & _removals.name.in_(some)
        rows = connection.execute(select(_removals.name, _removals.state).where(ours))
        known = {row.name: row.state for row in rows}
        finished = [name for name, state in known.items() if state == RemovalState.DONE]
        claimed = [name for name, state in known.items() if state == RemovalState.CLAIMED]
        if finished:
            again = {"state": RemovalState.WAITING, "due_at": due_at, "attempts": 0}
            connection.execute(update(pending_removals).where(ours, _removals.name.in_(finished)).values(again))
        if claimed:
            # What is stored while it is being removed has to be removed once more.
            connection.execute(update(pending_removals).where(ours, _removals.name.in_(claimed)).values(again=True))
        new = [
            {
                "kind": kind,
                "workspace": workspace,
                "name": name,
                "state": RemovalState.WAITING,
                "claims": 0,
                "attempts": 0,
                "again": False,
                "due_at": due_at,
                "created_at": due_at,
                "picture": picture,
            }
            for name in some
            if name not in known
        ]
        if new:
            connection.execute(insert(pending_removals), new)
