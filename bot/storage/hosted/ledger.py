"""What was given to the hosted service: implements ``adapters.showapi.ports``, which storage may not import.

An add is written down before the service hears of it. Whoever dies in between leaves a row that the next attempt takes
over, or that is taken back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import AlreadyAdded, BackendTimeout, DatabaseExists
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.storage.catalogue.rows import in_batches
from bot.storage.hosted.rows import (
    IS_CONFIRMED,
    IS_UNSETTLED,
    AddState,
    HostedLocation,
    columns_of,
    find_hosted_database,
    hosted_database_of,
    image_of,
    is_abandoned,
    is_in,
    listed,
    new_add_columns,
    queue_deletions,
)
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.paging import ListedDatabase, read_page
from bot.storage.sql.schema.tables import hosted_databases, hosted_deletions, hosted_images

_databases, _images, _deletions = hosted_databases.c, hosted_images.c, hosted_deletions.c


class SqlLedger:
    """Implements ``adapters.showapi.ports.Ledger``. What is done “at once” can't be once a unit has begun to write."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def create_database(self, key: DatabaseKey, upstream: str, prefix: str) -> None:
        """Note a database. Raises DatabaseExists."""

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "hosted databases", [f"{key.workspace} {key.name}"])
            if find_hosted_database(connection, key) is not None:
                raise DatabaseExists(key.name)
            names = {"workspace": key.workspace, "name": str(key.name), "upstream": upstream, "prefix": prefix}
            connection.execute(insert(hosted_databases), {**names, "created_at": self._clock()})

        await self._database.write(work)

    async def database(self, key: DatabaseKey) -> HostedLocation:
        """Where its images are; what is committed is asked."""
        return await self._database.snapshot(lambda connection: hosted_database_of(connection, key))

    async def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """The workspace's databases, by name."""
        query = select(_databases.name).where(_databases.workspace == workspace).order_by(_databases.name)
        names = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return tuple(DatabaseName(name) for name in names)

    async def delete_database(self, key: DatabaseKey, *, whole: bool) -> None:
        """Forget a database; what is to go from the service becomes chores: the ``whole`` of its, or each image."""

        def work(connection: Connection) -> None:
            # Or an add that begins meanwhile would go with it, and leave its image at the service for good.
            location, now = hosted_database_of(connection, key, update_lock=True), self._clock()
            if whole:
                # They go with it.
                connection.execute(delete(hosted_deletions).where(_deletions.upstream == location.upstream))
                deletion = {"upstream": location.upstream, "entity": "", "due_at": now}
                connection.execute(insert(hosted_deletions), deletion)
            else:
                queue_deletions(connection, is_in(location), now)
            connection.execute(delete(hosted_databases).where(_databases.id == location.id))

        await self._database.write(work)

    async def begin_add(self, key: DatabaseKey, image: NewHostedImage) -> bool:
        """At once: this image is about to be given to the service, by us.

        False if the service may have one under its name: an earlier add was never confirmed, and is ours to end now, or
        its deletion was still to be done, and no longer is. Raises AlreadyAdded if it is confirmed.
        """

        def work(connection: Connection) -> bool:
            location = hosted_database_of(connection, key, key_share_lock=True)
            values = columns_of(image) | new_add_columns(self._clock())
            # Or what is left to be done of an earlier deletion would take the new one.
            deletion = (_deletions.upstream == location.upstream) & (
                _deletions.entity == location.prefix + image.data_id
            )
            deleted = connection.execute(delete(hosted_deletions).where(deletion)).rowcount > 0
            named = is_in(location) & (_images.data_id == image.data_id)
            there = connection.execute(select(hosted_images).where(named).with_for_update()).first()
            if there is None:
                connection.execute(insert(hosted_images).values(database_id=location.id, **values))
            elif there.state == AddState.CONFIRMED:
                raise AlreadyAdded(key.name, there.entity)
            else:
                connection.execute(update(hosted_images).where(_images.id == there.id).values(**values))
            return there is None and not deleted

        return await self._database.write_separately(work)

    async def take_over_add(self, key: DatabaseKey, digest: str, entity: EntityId, note: Note) -> DataId | None:
        """At once: an image of these pixels whose add ended in doubt, or whose process died; it is ours to end now.

        It gets the entity and the note. None if there is none.
        """

        def work(connection: Connection) -> DataId | None:
            now = self._clock()
            same = is_in(hosted_database_of(connection, key, key_share_lock=True)) & (_images.digest == digest)
            # Where several may write at once, each takes another.
            left = select(_images.id, _images.data_id).where(same, is_abandoned(now)).with_for_update(skip_locked=True)
            row = connection.execute(left.order_by(_images.id).limit(1)).first()
            if row is None:
                return None
            ours = update(hosted_images).where(_images.id == row.id)
            connection.execute(ours.values(entity=str(entity), note=str(note), **new_add_columns(now)))
            return DataId(row.data_id)

        return await self._database.write_separately(work)

    async def confirm_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """The service has it: from the end of the unit on it is found. Rolled back, it is to go again.

        Raises BackendTimeout (in a unit: at its end) if it took so long that the add was taken back.
        """

        def work(connection: Connection) -> None:
            named = is_in(hosted_database_of(connection, key, key_share_lock=True)) & (_images.data_id == data_id)
            confirmed = update(hosted_images).where(named).values(state=AddState.CONFIRMED)
            if not connection.execute(confirmed).rowcount:
                raise BackendTimeout(f"the add of image {data_id} took so long that it was taken back")

        await self._database.after_rollback(lambda: self._take_back(key, data_id))
        await self._database.defer(work)

    async def _take_back(self, key: DatabaseKey, data_id: DataId) -> None:
        def work(connection: Connection) -> None:
            if location := find_hosted_database(connection, key, key_share_lock=True):
                the_add = is_in(location) & (_images.data_id == data_id) & IS_UNSETTLED
                # The service has it already: nothing is on its way.
                connection.execute(update(hosted_images).where(the_add).values(state=AddState.DOUBTFUL))
                queue_deletions(connection, the_add, self._clock())

        await self._database.write_separately(work)

    async def mark_doubtful(self, key: DatabaseKey, data_id: DataId) -> None:
        """At once: the service may have it or not. Nothing happens if it is confirmed, or gone with its database."""

        def work(connection: Connection) -> None:
            if location := find_hosted_database(connection, key, key_share_lock=True):
                the_add = is_in(location) & (_images.data_id == data_id) & IS_UNSETTLED
                connection.execute(update(hosted_images).where(the_add).values(state=AddState.DOUBTFUL))

        await self._database.write_separately(work)

    async def abandon_add(self, key: DatabaseKey, data_id: DataId) -> None:
        """At once: the service doesn't have it, for sure. As with ``mark_doubtful``, what is confirmed stays."""

        def work(connection: Connection) -> None:
            if location := find_hosted_database(connection, key, key_share_lock=True):
                the_add = is_in(location) & (_images.data_id == data_id) & IS_UNSETTLED
                connection.execute(delete(hosted_images).where(the_add))

        await self._database.write_separately(work)

    async def images(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, NewHostedImage]:
        """Those of the images that are confirmed; what is committed is asked."""
        wanted = list(data_ids)

        def work(connection: Connection) -> dict[DataId, NewHostedImage]:
            kept = select(hosted_images).where(is_in(hosted_database_of(connection, key)), IS_CONFIRMED)
            found: dict[DataId, NewHostedImage] = {}
            for some in in_batches(wanted):
                for row in connection.execute(kept.where(_images.data_id.in_(some))):
                    found[DataId(row.data_id)] = image_of(row)
            return found

        return await self._database.snapshot(work)

    async def has(self, key: DatabaseKey, data_id: DataId) -> bool:
        """Whether the image is confirmed; what is committed is asked."""

        def work(connection: Connection) -> bool:
            query = select(_images.id).where(
                is_in(hosted_database_of(connection, key)), _images.data_id == data_id, IS_CONFIRMED
            )
            return connection.execute(query).first() is not None

        return await self._database.snapshot(work)

    async def unsettled_images(self, key: DatabaseKey) -> frozenset[DataId]:
        """The images that are coming or in doubt, and those that are going; what is committed is asked."""

        def work(connection: Connection) -> frozenset[DataId]:
            location = hosted_database_of(connection, key)
            coming = connection.execute(select(_images.data_id).where(is_in(location), IS_UNSETTLED)).scalars()
            going = connection.execute(
                select(_deletions.entity).where(_deletions.upstream == location.upstream)
            ).scalars()
            names = [name.removeprefix(location.prefix) for name in going if name.startswith(location.prefix)]
            return frozenset(DataId(name) for name in (*coming, *names))

        return await self._database.snapshot(work)

    async def fingerprints(
        self, key: DatabaseKey, younger_than: timedelta | None = None
    ) -> Sequence[tuple[DataId, str, bytes]]:
        """Data id, digest and fingerprint of confirmed images (all, or young ones), oldest first.

        What is committed is asked.
        """
        query = select(_images.data_id, _images.digest, _images.fingerprint).order_by(_images.created_at, _images.id)
        if younger_than is not None:
            query = query.where(_images.created_at > self._clock() - younger_than)

        def work(connection: Connection) -> list[tuple[DataId, str, bytes]]:
            rows = connection.execute(query.where(is_in(hosted_database_of(connection, key)), IS_CONFIRMED))
            return [(DataId(data_id), digest, fingerprint) for data_id, digest, fingerprint in rows]

        return await self._database.snapshot(work)

    async def is_upstream_used(self, upstream: str) -> bool:
        """Whether any database of ours has its images in this one of the service's; what is committed is asked."""
        query = select(_databases.id).where(_databases.upstream == upstream).limit(1)
        return await self._database.snapshot(lambda connection: connection.execute(query).first() is not None)

    async def count(self, key: DatabaseKey) -> int:
        """How many are confirmed."""

        def work(connection: Connection) -> int:
            kept = is_in(hosted_database_of(connection, key)) & IS_CONFIRMED
            return connection.execute(select(func.count()).select_from(hosted_images).where(kept)).scalar_one()

        return await self._database.read(work)

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """A page of the confirmed ones. Raises InvalidInput for a token that is not one of ours."""

        def work(connection: Connection) -> Page[ListedImage]:
            owner = ListedDatabase(hosted_database_of(connection, key).id, key)
            return read_page(connection, hosted_images, owner, request, listed, IS_CONFIRMED)

        return await self._database.read(work)

    async def delete_images(self, key: DatabaseKey, entity: EntityId, data_id: DataId | None) -> int:
        """Forget an entity's images, or one, and make chores of them; how many confirmed ones went.

        An add that is under way is left to whoever is at it.
        """

        def work(connection: Connection) -> int:
            now = self._clock()
            of_entity = is_in(hosted_database_of(connection, key, key_share_lock=True)) & (
                _images.entity == str(entity)
            )
            if data_id is not None:
                of_entity &= _images.data_id == data_id
            return queue_deletions(connection, of_entity & (IS_CONFIRMED | is_abandoned(now)), now).count(
                AddState.CONFIRMED
            )

        return await self._database.write(work)

    async def forget_missing(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> None:
        """At once: forget that the service has these, since it does not."""
        lost = list(data_ids)

        def work(connection: Connection) -> None:
            kept = delete(hosted_images).where(
                is_in(hosted_database_of(connection, key, key_share_lock=True)), IS_CONFIRMED
            )
            for some in in_batches(lost):
                connection.execute(kept.where(_images.data_id.in_(some)))

        await self._database.write_separately(work)

    async def after_commit(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Run ``hook`` once the unit is committed, at once outside of one."""
        await self._database.after_commit(hook)

    async def after_rollback(self, hook: Callable[[], Awaitable[None]]) -> None:
        """Run ``hook`` if the unit is rolled back."""
        await self._database.after_rollback(hook)
