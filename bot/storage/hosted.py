"""What was given to the hosted service: satisfies ``adapters.showapi.ports``, which storage may not import.

An add is written down before the service hears of it. Whoever dies in between leaves a row that the next attempt takes
over, or that is taken back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from bot.errors import AlreadyAdded, BackendTimeout, DatabaseExists
from bot.models import (
    DatabaseKey,
    DatabaseName,
    DataId,
    EntityId,
    ListedImage,
    NewHostedImage,
    Note,
    Page,
    PageRequest,
    WorkspaceId,
)
from bot.storage.database import Database
from bot.storage.hosted_rows import (
    IS_KEPT,
    IS_OPEN,
    AddState,
    HostedPlace,
    beginning,
    columns_of,
    find_place,
    image_of,
    is_in,
    is_left,
    listed,
    make_chores,
    place_of,
)
from bot.storage.paging import Owner, read_page
from bot.storage.records import in_groups
from bot.storage.schema import hosted_chores, hosted_databases, hosted_images
from bot.storage.turns import take_turns

_databases, _images, _chores = hosted_databases.c, hosted_images.c, hosted_chores.c


class SqlLedger:
    """Satisfies ``adapters.showapi.ports.Ledger``. What is done “at once” can't be once a unit has begun to write."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database = database
        self._clock = clock

    async def create_database(self, key: DatabaseKey, upstream: str, prefix: str) -> None:
        """Note a database. Raises DatabaseExists."""

        def work(connection: Connection) -> None:
            take_turns(connection, "hosted databases", [f"{key.workspace} {key.name}"])
            if find_place(connection, key) is not None:
                raise DatabaseExists(key.name)
            names = {"workspace": key.workspace, "name": str(key.name), "upstream": upstream, "prefix": prefix}
            connection.execute(insert(hosted_databases), {**names, "created_at": self._clock()})

        await self._database.write(work)

    async def database(self, key: DatabaseKey) -> HostedPlace:
        """Where its images are; what is committed is asked."""
        return await self._database.snapshot(lambda connection: place_of(connection, key))

    async def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """The workspace's databases, by name."""
        query = select(_databases.name).where(_databases.workspace == workspace).order_by(_databases.name)
        names = await self._database.read(lambda connection: connection.execute(query).scalars().all())
        return tuple(DatabaseName(name) for name in names)

    async def delete_database(self, key: DatabaseKey, *, whole: bool) -> None:
        """Forget a database; what is to go from the service becomes chores: the ``whole`` of its, or each image."""

        def work(connection: Connection) -> None:
            # Or an add that begins meanwhile would go with it, and leave its image at the service for good.
            place, now = place_of(connection, key, own=True), self._clock()
            if whole:
                # They go with it.
                connection.execute(delete(hosted_chores).where(_chores.upstream == place.upstream))
                chore = {"upstream": place.upstream, "entity": "", "due_at": now}
                connection.execute(insert(hosted_chores), chore)
            else:
                make_chores(connection, is_in(place), now)
            connection.execute(delete(hosted_databases).where(_databases.id == place.id))

        await self._database.write(work)

    async def begin(self, key: DatabaseKey, image: NewHostedImage) -> bool:
        """At once: this image is about to be given to the service, by us.

        False if the service may have one under its name: an earlier add was never confirmed, and is ours to end now, or
        its deletion was still to be done, and no longer is. Raises AlreadyAdded if it is confirmed.
        """

        def work(connection: Connection) -> bool:
            place = place_of(connection, key, kept=True)
            values = columns_of(image) | beginning(self._clock())
            # Or what is left to be done of an earlier deletion would take the new one.
            chore = (_chores.upstream == place.upstream) & (_chores.entity == place.prefix + image.data_id)
            deleted = connection.execute(delete(hosted_chores).where(chore)).rowcount > 0
            named = is_in(place) & (_images.data_id == image.data_id)
            there = connection.execute(select(hosted_images).where(named).with_for_update()).first()
            if there is None:
                connection.execute(insert(hosted_images).values(database_id=place.id, **values))
            elif there.state == AddState.KEPT:
                raise AlreadyAdded(key.name, there.entity)
            else:
                connection.execute(update(hosted_images).where(_images.id == there.id).values(**values))
            return there is None and not deleted

        return await self._database.apart(work)

    async def take_over(self, key: DatabaseKey, digest: str, entity: EntityId, note: Note) -> DataId | None:
        """At once: an image of these pixels whose add ended in doubt, or whose process died; it is ours to end now.

        It gets the entity and the note. None if there is none.
        """

        def work(connection: Connection) -> DataId | None:
            now = self._clock()
            same = is_in(place_of(connection, key, kept=True)) & (_images.digest == digest)
            # Where several may write at once, each takes another.
            left = select(_images.id, _images.data_id).where(same, is_left(now)).with_for_update(skip_locked=True)
            row = connection.execute(left.order_by(_images.id).limit(1)).first()
            if row is None:
                return None
            ours = update(hosted_images).where(_images.id == row.id)
            connection.execute(ours.values(entity=str(entity), note=str(note), **beginning(now)))
            return DataId(row.data_id)

        return await self._database.apart(work)

    async def confirm(self, key: DatabaseKey, data_id: DataId) -> None:
        """The service has it: from the end of the unit on it is found. Rolled back, it is to go again.

        Raises BackendTimeout (in a unit: at its end) if it took so long that the add was taken back.
        """

        def work(connection: Connection) -> None:
            named = is_in(place_of(connection, key, kept=True)) & (_images.data_id == data_id)
            confirmed = update(hosted_images).where(named).values(state=AddState.KEPT)
            if not connection.execute(confirmed).rowcount:
                raise BackendTimeout(f"the add of image {data_id} took so long that it was taken back")

        await self._database.otherwise(lambda: self._take_back(key, data_id))
        await self._database.defer(work)

    async def _take_back(self, key: DatabaseKey, data_id: DataId) -> None:
        def work(connection: Connection) -> None:
            if place := find_place(connection, key, kept=True):
                the_add = is_in(place) & (_images.data_id == data_id) & IS_OPEN
                # The service has it already: nothing is on its way.
                connection.execute(update(hosted_images).where(the_add).values(state=AddState.DOUBTFUL))
                make_chores(connection, the_add, self._clock())

        await self._database.apart(work)

    async def doubt(self, key: DatabaseKey, data_id: DataId) -> None:
        """At once: the service may have it or not. Nothing happens if it is confirmed, or gone with its database."""

        def work(connection: Connection) -> None:
            if place := find_place(connection, key, kept=True):
                the_add = is_in(place) & (_images.data_id == data_id) & IS_OPEN
                connection.execute(update(hosted_images).where(the_add).values(state=AddState.DOUBTFUL))

        await self._database.apart(work)

    async def abandon(self, key: DatabaseKey, data_id: DataId) -> None:
        """At once: the service doesn't have it, for sure. As with ``doubt``, what is confirmed stays."""

        def work(connection: Connection) -> None:
            if place := find_place(connection, key, kept=True):
                the_add = is_in(place) & (_images.data_id == data_id) & IS_OPEN
                connection.execute(delete(hosted_images).where(the_add))

        await self._database.apart(work)

    async def images(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> Mapping[DataId, NewHostedImage]:
        """Those of the images that are confirmed; what is committed is asked."""
        wanted = list(data_ids)

        def work(connection: Connection) -> dict[DataId, NewHostedImage]:
            kept = select(hosted_images).where(is_in(place_of(connection, key)), IS_KEPT)
            found: dict[DataId, NewHostedImage] = {}
            for some in in_groups(wanted):
                for row in connection.execute(kept.where(_images.data_id.in_(some))):
                    found[DataId(row.data_id)] = image_of(row)
            return found

        return await self._database.snapshot(work)

    async def has(self, key: DatabaseKey, data_id: DataId) -> bool:
        """Whether the image is confirmed; what is committed is asked."""

        def work(connection: Connection) -> bool:
            query = select(_images.id).where(is_in(place_of(connection, key)), _images.data_id == data_id, IS_KEPT)
            return connection.execute(query).first() is not None

        return await self._database.snapshot(work)

    async def unsettled(self, key: DatabaseKey) -> frozenset[DataId]:
        """The images that are coming or in doubt, and those that are going; what is committed is asked."""

        def work(connection: Connection) -> frozenset[DataId]:
            place = place_of(connection, key)
            coming = connection.execute(select(_images.data_id).where(is_in(place), IS_OPEN)).scalars()
            going = connection.execute(select(_chores.entity).where(_chores.upstream == place.upstream)).scalars()
            names = [name.removeprefix(place.prefix) for name in going if name.startswith(place.prefix)]
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
            rows = connection.execute(query.where(is_in(place_of(connection, key)), IS_KEPT))
            return [(DataId(data_id), digest, fingerprint) for data_id, digest, fingerprint in rows]

        return await self._database.snapshot(work)

    async def uses(self, upstream: str) -> bool:
        """Whether any database of ours has its images in this one of the service's; what is committed is asked."""
        query = select(_databases.id).where(_databases.upstream == upstream).limit(1)
        return await self._database.snapshot(lambda connection: connection.execute(query).first() is not None)

    async def count(self, key: DatabaseKey) -> int:
        """How many are confirmed."""

        def work(connection: Connection) -> int:
            kept = is_in(place_of(connection, key)) & IS_KEPT
            return connection.execute(select(func.count()).select_from(hosted_images).where(kept)).scalar_one()

        return await self._database.read(work)

    async def page(self, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """A page of the confirmed ones. Raises InvalidInput for a token that is not one of ours."""

        def work(connection: Connection) -> Page[ListedImage]:
            owner = Owner(place_of(connection, key).id, key)
            return read_page(connection, hosted_images, owner, request, listed, IS_KEPT)

        return await self._database.read(work)

    async def delete_images(self, key: DatabaseKey, entity: EntityId, data_id: DataId | None) -> int:
        """Forget an entity's images, or one, and make chores of them; how many confirmed ones went.

        An add that is under way is left to whoever is at it.
        """

        def work(connection: Connection) -> int:
            now = self._clock()
            of_entity = is_in(place_of(connection, key, kept=True)) & (_images.entity == str(entity))
            if data_id is not None:
                of_entity &= _images.data_id == data_id
            return make_chores(connection, of_entity & (IS_KEPT | is_left(now)), now).count(AddState.KEPT)

        return await self._database.write(work)

    async def lose(self, key: DatabaseKey, data_ids: Iterable[DataId]) -> None:
        """At once: forget that the service has these, since it does not."""
        lost = list(data_ids)

        def work(connection: Connection) -> None:
            kept = delete(hosted_images).where(is_in(place_of(connection, key, kept=True)), IS_KEPT)
            for some in in_groups(lost):
                connection.execute(kept.where(_images.data_id.in_(some)))

        await self._database.apart(work)

    async def afterwards(self, follow: Callable[[], Awaitable[None]]) -> None:
        """Run ``follow`` once the unit is committed, at once outside of one."""
        await self._database.afterwards(follow)

    async def otherwise(self, follow: Callable[[], Awaitable[None]]) -> None:
        """Run ``follow`` if the unit is rolled back."""
        await self._database.otherwise(follow)
