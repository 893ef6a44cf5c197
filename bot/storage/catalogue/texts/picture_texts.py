"""The texts of images in SQL. Implements ``storage.ports.texts.PictureTexts``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, delete, func, select, update

from bot.domain.channels import VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DataId
from bot.domain.texts import PictureText, TextCounts
from bot.storage.catalogue.rows import database_id_of
from bot.storage.catalogue.texts.line_encoding import decode
from bot.storage.catalogue.texts.text_rows import TextState, mark_reading, set_state, store_text
from bot.storage.catalogue.visibility import has_visible_origin
from bot.storage.ports.texts import ClaimedText
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.locks.advisory import take_advisory_locks
from bot.storage.sql.schema.tables import image_texts, images

CLAIM = timedelta(minutes=10)
"""How long a process may take to read a picture. A page of small print takes ten seconds on a busy machine."""

MAX_ATTEMPTS = 3
"""Claims of a picture before it counts as unreadable. Processes may have died while they read it."""

COPIES_AT_ONCE = 50
"""Texts that one transaction copies from other images with the same picture."""

_TEXTS = "texts"
"""The kind of advisory lock that claims take."""


class SqlPictureTexts:
    """The texts, for every back end."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, after: int = 0) -> ClaimedText | None:
        """Claim an image without a text: one whose claim has expired, or the next with an id above ``after``."""
        query = _without_text(after).limit(1)
        expired = _expired(self._clock()).limit(1)

        # Most of the time there is nothing to do, and reading holds up nobody.
        def is_any(connection: Connection) -> bool:
            return connection.execute(query).first() is not None or connection.execute(expired).first() is not None

        if not await self._database.read(is_any):
            return None
        while True:
            claimed, may_have_more = await self._database.write(lambda connection: self._claim(connection, after))
            if claimed is not None or not may_have_more:
                return claimed

    def _claim(self, connection: Connection, after: int) -> tuple[ClaimedText | None, bool]:
        """Return a claimed picture, or None and whether further images may lack a text."""
        take_advisory_locks(connection, _TEXTS)
        now = self._clock()
        for row in connection.execute(_expired(now).limit(COPIES_AT_ONCE)).all():
            if row.attempts >= MAX_ATTEMPTS:
                set_state(connection, [row.image_id], TextState.UNREADABLE, now)
                continue
            again = {"attempts": row.attempts + 1, "due_at": now + CLAIM}
            connection.execute(update(image_texts).where(image_texts.c.image_id == row.image_id).values(again))
            return ClaimedText(row.image_id, row.digest, row.attempts + 1), True
        # Images that are being deleted are left out: a row about them would fail.
        left = _without_text(after).limit(COPIES_AT_ONCE)
        rows = connection.execute(left.with_for_update(read=True, key_share=True, of=images, skip_locked=True)).all()
        for row in rows:
            known = connection.execute(_known(row.digest)).first()
            if known is None:
                mark_reading(connection, row.id, row.database_id, now + CLAIM)
                return ClaimedText(row.id, row.digest, 1), True
            if known.state == TextState.READ:
                store_text(connection, row.digest, decode(known.lines), now)
            else:
                # Another process reads it, or nobody can. Its text comes with the other image's.
                mark_reading(connection, row.id, row.database_id, now + CLAIM)
                if known.state == TextState.UNREADABLE:
                    set_state(connection, [row.id], TextState.UNREADABLE, now)
        return None, len(rows) == COPIES_AT_ONCE

    async def finish(self, claim: ClaimedText, text: PictureText) -> None:
        """Store a text for all images with the picture."""

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, _TEXTS)
            store_text(connection, claim.digest, text, self._clock())

        await self._database.write(work)

    async def give_up(self, claim: ClaimedText) -> None:
        """Mark a picture as unreadable, for all images that wait for it."""

        def work(connection: Connection) -> None:
            waiting = connection.execute(select(images.c.id).where(images.c.digest == claim.digest)).scalars().all()
            for some in in_batches(waiting):
                set_state(connection, some, TextState.UNREADABLE, self._clock())

        await self._database.write(work)

    async def release(self, claim: ClaimedText) -> None:
        """Let the picture be claimed again."""
        ours = (image_texts.c.image_id == claim.image_id) & (image_texts.c.state == TextState.READING)

        def work(connection: Connection) -> None:
            connection.execute(delete(image_texts).where(ours))

        await self._database.write(work)

    async def of(self, key: DatabaseKey, data_ids: Collection[DataId]) -> Mapping[DataId, PictureText]:
        """Return the texts of images that were read."""
        wanted = sorted(data_ids)

        def work(connection: Connection) -> dict[DataId, PictureText]:
            database_id = database_id_of(connection, key)
            found: dict[DataId, PictureText] = {}
            for some in in_batches(wanted):
                ours = (images.c.database_id == database_id) & images.c.data_id.in_(some)
                query = select(images.c.data_id, image_texts.c.lines).join(image_texts).where(ours, _is_read())
                found.update((DataId(row.data_id), decode(row.lines)) for row in connection.execute(query))
            return found

        return await self._database.read(work) if wanted else {}

    async def of_picture(self, key: DatabaseKey, digest: str) -> PictureText | None:
        """Return the text of a picture if the database has it and it was read."""

        def work(connection: Connection) -> PictureText | None:
            ours = (images.c.database_id == database_id_of(connection, key)) & (images.c.digest == digest)
            row = connection.execute(select(image_texts.c.lines).join(images).where(ours, _is_read())).first()
            return None if row is None else decode(row.lines)

        return await self._database.read(work)

    async def sample(
        self, key: DatabaseKey, limit: int, visible: VisibleOrigins | None = None
    ) -> Sequence[PictureText]:
        """Return the texts of up to ``limit`` images, newest first, without empty ones."""

        def work(connection: Connection) -> list[PictureText]:
            database_id = database_id_of(connection, key)
            ours = image_texts.c.database_id == database_id
            query = select(image_texts.c.lines).where(ours, _is_read(), image_texts.c.lines != "")
            if visible is not None and (seen := has_visible_origin(connection, database_id, visible)):
                query = query.join(images).where(*seen)
            rows = connection.execute(query.order_by(image_texts.c.image_id.desc()).limit(limit)).scalars()
            return [decode(lines) for lines in rows]

        return await self._database.read(work)

    async def counts(self) -> TextCounts:
        """Return how far the reading of all databases is."""

        def count_of(state: TextState) -> ColumnElement[int]:
            return func.coalesce(func.sum(case((image_texts.c.state == state, 1), else_=0)), 0)

        def work(connection: Connection) -> TextCounts:
            stored = connection.execute(select(func.count()).select_from(images)).scalar_one()
            row = connection.execute(select(count_of(TextState.READ), count_of(TextState.UNREADABLE))).one()
            return TextCounts(stored, int(row[0]), int(row[1]))

        return await self._database.read(work)


def _is_read() -> ColumnElement[bool]:
    return image_texts.c.state == TextState.READ


def _without_text(after: int) -> Select[Any]:
    query = select(images.c.id, images.c.database_id, images.c.digest).outerjoin(image_texts)
    return query.where(images.c.id > after, image_texts.c.image_id.is_(None)).order_by(images.c.id)


def _expired(now: datetime) -> Select[Any]:
    query = select(image_texts.c.image_id, image_texts.c.attempts, images.c.digest).join(images)
    is_expired = (image_texts.c.state == TextState.READING) & (image_texts.c.due_at <= now)
    return query.where(is_expired).order_by(image_texts.c.due_at, image_texts.c.image_id)


def _known(digest: str) -> Select[Any]:
    """Return a query for what is known of a picture from other images, best first."""
    # "read" < "reading" < "unreadable"
    query = select(image_texts.c.state, image_texts.c.lines).join(images).where(images.c.digest == digest)
    return query.order_by(image_texts.c.state).limit(1)
