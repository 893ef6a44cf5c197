"""Removal deletes images from index, catalogue and picture store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.catalogue import ImageRecord, Moment, OriginScope, SlackOrigin
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import BackendDown
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.services.images.deletion import DeleteService
from bot.services.maintenance import removal
from bot.services.maintenance.removal import RemovalService
from bot.storage.catalogue.catalogue import SqlCatalogue
from bot.storage.ports.home import Visit
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import random_picture
from tests.fakes.inbox import share
from tests.fixtures.storages import StoragePlace

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS, LOGOS = DatabaseKey(TEAM, DatabaseName("parts")), DatabaseKey(TEAM, DatabaseName("logos"))
THEIRS = DatabaseKey(OTHER_TEAM, DatabaseName("parts"))
BEGINNING = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Harness:
    """SQL storage with the memory back end, and a clock that advances by a day for each image."""

    storage: SqlStorage
    visual: MemorySearch
    now: datetime = BEGINNING
    added: int = 0

    def __post_init__(self) -> None:
        self.databases = DatabaseService(self.visual, self.storage)
        self.deletions = DeleteService(self.visual, self.storage)
        self.removal = RemovalService(self.visual, self.storage, self.deletions, self.databases)

    async def add(
        self, key: DatabaseKey, file: str = "F1", message: str = "1.1", *, seed: int | None = None, channel: str = "C1"
    ) -> ImageRecord:
        self.added += 1
        picture = random_picture(self.added if seed is None else seed)
        adding = AddService(self.visual, self.storage, lambda: BEGINNING + timedelta(days=self.added - 1))
        origin = SlackOrigin(file, channel, message)
        # All images have the same entity, to prove that only the given image is deleted.
        return await adding.add(key, picture, b"jpeg", EntityId("valve"), Note(), origin=origin)

    async def left(self, key: DatabaseKey) -> set[DataId]:
        """Return a database's images, after checking that catalogue and back end agree."""
        records = {record.data_id for record in (await self.storage.catalogue.page(key, PageRequest(limit=1000))).items}
        assert records == {
            image.data_id for image in (await self.visual.list_images(key, PageRequest(limit=1000))).items
        }
        return records

    async def kept(self, records: Iterable[ImageRecord]) -> list[bool]:
        """Return whether the pictures are stored."""
        found = []
        for record in records:
            try:
                found.append(bool(await self.storage.pictures.get(record.digest)))
            except KeyError:
                found.append(False)
        return found


@pytest.fixture
async def harness(storage_place: StoragePlace) -> AsyncIterator[Harness]:
    storage = await storage_place.open()
    one = Harness(storage, MemorySearch())
    for key in (PARTS, LOGOS, THEIRS):
        await one.databases.create(key)
    yield one
    await storage.close()


async def test_deleted_file_is_removed_from_every_database_of_its_workspace(harness: Harness) -> None:
    gone = [await harness.add(PARTS, "F1"), await harness.add(LOGOS, "F1", seed=1)]
    stay = [await harness.add(PARTS, "F2"), await harness.add(THEIRS, "F1")]
    assert await harness.removal.remove_file(TEAM, "F1") == 2
    assert await harness.left(PARTS) == {stay[0].data_id}
    assert await harness.left(LOGOS) == set()
    assert await harness.left(THEIRS) == {stay[1].data_id}
    assert await harness.kept([*gone, *stay]) == [False, False, True, True]


async def test_picture_of_another_image_is_kept(harness: Harness) -> None:
    await harness.add(PARTS, "F1", seed=7)
    other = await harness.add(LOGOS, "F2", seed=7)
    assert await harness.removal.remove_file(TEAM, "F1") == 1
    assert await harness.kept([other]) == [True]


async def test_deleted_message_removes_only_its_own_files(harness: Harness) -> None:
    for file in ("F1", "F2"):
        await harness.add(PARTS, file, "1.1")
    stay = [await harness.add(PARTS, "F3", "1.2"), await harness.add(PARTS, "F4", "1.1", channel="C2")]
    assert await harness.removal.remove_message(TEAM, "C1", "1.1") == 2
    assert await harness.left(PARTS) == {record.data_id for record in stay}


async def test_removing_unknown_files_and_messages_does_nothing(harness: Harness) -> None:
    assert await harness.removal.remove_file(TEAM, "F9") == 0
    assert await harness.removal.remove_message(TEAM, "C1", "9.9") == 0
    assert await harness.removal.remove_older_than(BEGINNING) == 0
    assert await harness.removal.remove_workspace(WorkspaceId("T9")) == 0


async def test_queued_share_is_withdrawn(harness: Harness) -> None:
    inbox = harness.storage.inbox
    for number in (1, 2, 3):
        await inbox.put(share(number))
    jobs = await inbox.claim("worker", 9, 15)
    await harness.removal.remove_file(TEAM, "F1")
    await harness.removal.remove_message(TEAM, "C1", jobs[1].message)
    assert [await inbox.is_wanted(job.id, job.files[0]) for job in jobs] == [False, False, True]


async def test_file_is_withdrawn_before_the_catalogue_is_read(harness: Harness) -> None:
    """A job that adds the file in between finds it withdrawn. In the other order the image would stay for ever."""
    inbox, results = harness.storage.inbox, list[bool]()
    await inbox.put(share(1))
    [job] = await inbox.claim("worker", 1, 15)

    class Looking(SqlCatalogue):
        async def with_origins(self, scope: OriginScope, limit: int) -> tuple[ImageRecord, ...]:
            results.append(await inbox.is_wanted(job.id, scope.file))
            return await super().with_origins(scope, limit)

    harness.storage._catalogue = Looking(harness.storage._database)
    await harness.removal.remove_file(TEAM, "F1")
    assert results == [False]


async def test_concurrent_deletion_is_not_an_error(harness: Harness) -> None:
    class Raced(DeleteService):
        async def delete_origins(self, record: ImageRecord, scope: OriginScope) -> bool:
            if record.data_id == first.data_id:
                await super().delete_origins(record, scope)
            if record.data_id == third.data_id:
                await harness.databases.delete(record.database)
            return await super().delete_origins(record, scope)

    first, _, third = await harness.add(PARTS, "F1"), await harness.add(PARTS, "F1"), await harness.add(LOGOS, "F1")
    raced = Raced(harness.visual, harness.storage)
    service = RemovalService(harness.visual, harness.storage, raced, harness.databases)
    assert await service.remove_file(TEAM, "F1") == 1
    assert await harness.left(PARTS) == set()


async def test_removal_can_be_retried_after_a_back_end_failure(harness: Harness) -> None:
    class Failing(MemorySearch):
        async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
            raise BackendDown("away")

    record = await harness.add(PARTS, "F1")
    failing = DeleteService(Failing(), harness.storage)
    with pytest.raises(BackendDown):
        await RemovalService(harness.visual, harness.storage, failing, harness.databases).remove_file(TEAM, "F1")
    assert await harness.left(PARTS) == {record.data_id}
    assert await harness.removal.remove_file(TEAM, "F1") == 1


async def test_old_images_are_removed_in_every_workspace(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "DELETE_BATCH", 2)
    records = [await harness.add(key) for key in (PARTS, LOGOS, THEIRS, PARTS, PARTS, THEIRS, PARTS)]
    assert await harness.removal.remove_older_than(BEGINNING + timedelta(days=5)) == 5
    assert await harness.left(PARTS) == {records[6].data_id}
    assert await harness.left(LOGOS) == set()
    assert await harness.left(THEIRS) == {records[5].data_id}
    assert await harness.removal.remove_older_than(BEGINNING + timedelta(days=5)) == 0


async def test_removing_a_workspace_leaves_others_unchanged(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "DELETE_BATCH", 2)
    storage = harness.storage
    gone = [await harness.add(key) for key in (PARTS, PARTS, PARTS, PARTS, PARTS, LOGOS)]
    stay = await harness.add(THEIRS)
    for number, (workspace, record) in enumerate(
        [(TEAM, gone[0]), (TEAM, gone[1]), (TEAM, gone[2]), (OTHER_TEAM, stay)]
    ):
        await storage.catalogue.record_workspace(workspace)
        await storage.bindings.put(ChannelBinding(workspace, "C1", ChannelMode.COLLECT))
        await storage.home.record_visit(workspace, "U1", Visit(Moment(BEGINNING, 1), None, "E1"))
        await storage.inbox.put(share(number, workspace))
        await storage.thumbnails.put(workspace, record.digest, f"F{number}")

    assert await harness.removal.remove_workspace(TEAM) == 6

    assert await storage.catalogue.workspaces() == (OTHER_TEAM,)
    assert await storage.catalogue.databases(TEAM) == ()
    assert await harness.visual.list_databases(TEAM) == ()
    assert await storage.bindings.all(TEAM) == ()
    assert await harness.kept([*gone, stay]) == [False] * 6 + [True]
    assert await storage.thumbnails.get(TEAM, [record.digest for record in gone]) == {}
    assert [job.workspace for job in await storage.inbox.claim("worker", 9, 15)] == [OTHER_TEAM]
    assert await harness.left(THEIRS) == {stay.data_id}
    assert len(await storage.bindings.all(OTHER_TEAM)) == 1
    assert [await storage.home.visit(one, "U1") is not None for one in (TEAM, OTHER_TEAM)] == [False, True]
    assert await storage.thumbnails.get(OTHER_TEAM, [stay.digest]) == {stay.digest: "F3"}
    assert await harness.removal.remove_workspace(TEAM) == 0


async def test_databases_only_in_the_back_end_are_removed_with_the_workspace(harness: Harness) -> None:
    await harness.visual.create_database(DatabaseKey(TEAM, DatabaseName("left_behind")))
    await harness.removal.remove_workspace(TEAM)
    assert await harness.visual.list_databases(TEAM) == ()
    assert await harness.visual.list_databases(OTHER_TEAM) == ("parts",)


@pytest.mark.parametrize("error", [BackendDown("away"), RuntimeError("a mistake of ours")])
async def test_image_that_cannot_be_deleted_does_not_stop_the_retention(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(removal, "DELETE_BATCH", 2)
    records = [await harness.add(PARTS, f"F{number}") for number in range(9)]
    stuck = {records[0].data_id, records[1].data_id, records[4].data_id}
    delete = DeleteService.delete_origins

    async def fail(self: DeleteService, record: ImageRecord, scope: OriginScope) -> bool:
        if record.data_id in stuck:
            raise error
        return await delete(self, record, scope)

    with monkeypatch.context() as patched:
        patched.setattr(DeleteService, "delete_origins", fail)
        with pytest.raises(type(error)):
            await harness.removal.remove_older_than(BEGINNING + timedelta(days=7))
        assert await harness.left(PARTS) == stuck | {records[7].data_id, records[8].data_id}
    assert await harness.removal.remove_older_than(BEGINNING + timedelta(days=7)) == 3
