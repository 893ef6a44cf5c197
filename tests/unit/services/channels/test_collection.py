"""Shared images are added exactly once, despite retries, withdrawals and concurrent shares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.channels import VisibleOrigins
from bot.domain.errors import AlreadyAdded, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.jobs import JobKind, NewJob
from bot.domain.pages import PageRequest
from bot.domain.pictures import Picture
from bot.services.channels.collection import CollectService, FileWithdrawn, SharedImage
from bot.services.channels.repost_guard import RepostGuard
from bot.services.images.addition import AddService
from bot.services.images.new_image import NewImage
from bot.services.search.search import SearchService
from bot.services.search.search_result import SearchResult
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import embedded_search, noisy_copy, random_picture
from tests.fixtures.storages import StoragePlace

TEAM = WorkspaceId("T1")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))


@dataclass
class Harness:
    """SQL storage with the embedded engine."""

    storage: SqlStorage
    visual: EmbeddedSearch

    def __post_init__(self) -> None:
        self.collecting = CollectService(AddService(self.visual, self.storage), self.storage)
        self.repost_guard = RepostGuard(
            SearchService(self.visual, self.storage.catalogue), self.collecting, self.storage.locks
        )

    async def shared(
        self, picture: Picture, message: str = "1.1", file: str = "F1", entity: str = "valve"
    ) -> SharedImage:
        """Return a picture of a message whose job is claimed."""
        await self.storage.inbox.put(NewJob(JobKind.SHARE, TEAM, "", "C1", message, (file,), "{}"))
        [job] = await self.storage.inbox.claim("worker", 1, 15) or [None]
        image = NewImage(picture, b"jpeg", EntityId(entity), Note())
        return SharedImage(image, SlackOrigin(file, "C1", message), 0 if job is None else job.id)

    async def held(self) -> list[str]:
        """Return the entities, after checking that catalogue and back end agree."""
        records = (await self.storage.catalogue.page(PARTS, PageRequest(limit=100))).items
        listed = (await self.visual.list_images(PARTS, PageRequest(limit=100))).items
        assert {record.data_id for record in records} == {image.data_id for image in listed}
        return sorted(record.entity for record in records)

    async def keeps(self, picture: Picture) -> bool:
        """Return whether the picture is stored."""
        try:
            return bool(await self.storage.pictures.get(picture.digest))
        except KeyError:
            return False


@pytest.fixture
async def harness(storage_place: StoragePlace) -> AsyncIterator[Harness]:
    storage = await storage_place.open()
    one = Harness(storage, embedded_search(storage))
    async with storage.unit():
        await one.visual.create_database(PARTS)
        await storage.catalogue.create_database(PARTS)
    yield one
    await storage.close()


async def test_image_is_added_with_its_origin(harness: Harness) -> None:
    shared = await harness.shared(random_picture(1))
    record = await harness.collecting.collect(PARTS, shared)
    assert record.origin == shared.origin
    assert await harness.held() == ["valve"]
    assert await harness.keeps(random_picture(1))


async def test_retry_after_a_crash_returns_the_added_image(harness: Harness) -> None:
    shared = await harness.shared(random_picture(1))
    record = await harness.collecting.collect(PARTS, shared)
    assert await harness.collecting.collect(PARTS, shared) == record
    assert await harness.held() == ["valve"]


async def test_picture_of_another_message_is_already_added(harness: Harness) -> None:
    await harness.collecting.collect(PARTS, await harness.shared(random_picture(1)))
    with pytest.raises(AlreadyAdded):
        await harness.collecting.collect(PARTS, await harness.shared(random_picture(1), "1.2", "F2"))
    assert await harness.held() == ["valve"]
    assert await harness.keeps(random_picture(1))


async def test_withdrawn_file_leaves_nothing(harness: Harness) -> None:
    shared = await harness.shared(random_picture(1))
    await harness.storage.inbox.withdraw(TEAM, file="F1")
    with pytest.raises(FileWithdrawn):
        await harness.collecting.collect(PARTS, shared)
    assert await harness.held() == []
    assert not await harness.keeps(random_picture(1))


async def test_withdrawn_file_does_not_discard_another_images_picture(harness: Harness) -> None:
    other = DatabaseKey(TEAM, DatabaseName("logos"))
    async with harness.storage.unit():
        await harness.visual.create_database(other)
        await harness.storage.catalogue.create_database(other)
    await harness.collecting.collect(other, await harness.shared(random_picture(1), "1.2", "F2"))
    shared = await harness.shared(random_picture(1))
    await harness.storage.inbox.withdraw(TEAM, channel="C1", message="1.1")
    with pytest.raises(FileWithdrawn):
        await harness.collecting.collect(PARTS, shared)
    assert await harness.keeps(random_picture(1))


async def test_unknown_database_stores_nothing(harness: Harness) -> None:
    with pytest.raises(UnknownDatabase):
        await harness.collecting.collect(
            DatabaseKey(TEAM, DatabaseName("logos")), await harness.shared(random_picture(1))
        )
    assert not await harness.keeps(random_picture(1))


async def test_guard_adds_new_images_and_reports_reposts(harness: Harness) -> None:
    assert await harness.repost_guard.check(PARTS, await harness.shared(random_picture(1)), 9) is None
    assert (
        await harness.repost_guard.check(PARTS, await harness.shared(random_picture(2), "1.2", "F2", "other"), 9)
        is None
    )
    for number, copy in enumerate((random_picture(1), noisy_copy(random_picture(1))), start=3):
        found = await harness.repost_guard.check(PARTS, await harness.shared(copy, f"1.{number}", f"F{number}"), 9)
        assert found is not None
        assert [ranked.match.entity for ranked in found.matches] == ["valve"]
        assert [ranked.rank for ranked in found.matches] == [1]
    assert await harness.held() == ["other", "valve"]


async def test_message_is_not_its_own_repost(harness: Harness) -> None:
    first, again = (
        await harness.shared(random_picture(1)),
        await harness.shared(noisy_copy(random_picture(1)), file="F2", entity="again"),
    )
    double = await harness.shared(random_picture(1), file="F3", entity="double")
    outcomes = [await harness.repost_guard.check(PARTS, shared, 9) for shared in (first, again, double, first)]
    assert outcomes == [None] * 4
    assert await harness.held() == ["again", "valve"]


async def test_guard_judges_each_image_of_an_id(harness: Harness) -> None:
    older = noisy_copy(random_picture(1))
    assert await harness.repost_guard.check(PARTS, await harness.shared(older), 9) is None
    repeated = await harness.shared(random_picture(1), "1.2", "F2")
    # An earlier attempt added the picture, which is now the best image of the same id.
    await harness.collecting.collect(PARTS, repeated)
    found = await harness.repost_guard.check(PARTS, repeated, 9)
    assert found is not None
    [repost] = found.matches
    assert repost.record is not None
    assert repost.record.digest == older.digest


async def test_only_one_of_concurrent_copies_is_new(harness: Harness) -> None:
    shares = [
        await harness.shared(noisy_copy(random_picture(1), seed), f"1.{seed}", f"F{seed}", f"n{seed}")
        for seed in range(1, 6)
    ]
    outcomes = await asyncio.gather(*(harness.repost_guard.check(PARTS, shared, 9) for shared in shares))
    assert sum(outcome is None for outcome in outcomes) == 1
    assert len(await harness.held()) == 1


async def test_image_added_by_another_process_after_the_search_is_a_repost(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, shared = await harness.shared(random_picture(1)), await harness.shared(random_picture(1), "1.2", "F2")
    search, raced = SearchService.search, [there]

    async def slower(self: SearchService, *given: object, **named: object) -> SearchResult:
        found = await search(self, *given, **named)  # type: ignore[arg-type]
        if raced:
            await harness.collecting.collect(PARTS, raced.pop())
        return found

    monkeypatch.setattr(SearchService, "search", slower)
    found = await harness.repost_guard.check(PARTS, shared, 9)
    assert found is not None
    assert [ranked.match.entity for ranked in found.matches] == ["valve"]
    assert await harness.held() == ["valve"]


async def test_guard_raises_the_errors_of_collect(harness: Harness) -> None:
    shared = await harness.shared(random_picture(1))
    await harness.storage.inbox.withdraw(TEAM, file="F1")
    with pytest.raises(FileWithdrawn):
        await harness.repost_guard.check(PARTS, shared, 9)
    assert await harness.held() == []


class OnlyFrom:
    """Readers who see what came from one channel."""

    def __init__(self, channel: str) -> None:
        self.channel = channel

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        seen = {}
        for record in records:
            if here := [one for one in record.origins if one.slack and one.slack.channel == self.channel]:
                seen[record.data_id] = record.seen_through(here)
        return seen

    async def hidden(self, key: DatabaseKey) -> frozenset[DataId]:
        return frozenset()

    async def visible(self, key: DatabaseKey) -> VisibleOrigins:
        return VisibleOrigins(frozenset({self.channel}))


@pytest.mark.parametrize("edited", [False, True])
async def test_guard_ignores_a_hidden_match_and_reports_the_next_repost(harness: Harness, edited: bool) -> None:
    picture = random_picture(1)
    secret = await harness.shared(noisy_copy(picture) if edited else picture, "1.1", "F1", "secret")
    await harness.collecting.collect(PARTS, replace(secret, origin=replace(secret.origin, channel="C0SECRET")))
    here = OnlyFrom("C1")
    first = await harness.shared(picture, "2.1", "F2", "ours")
    assert await harness.repost_guard.check(PARTS, first, 9, here) is None
    again = await harness.shared(picture, "3.1", "F3", "again")
    found = await harness.repost_guard.check(PARTS, again, 9, here)
    assert found is not None
    [match] = found.matches
    assert match.record is not None
    assert [origin.slack and origin.slack.message_ts for origin in match.record.origins] == ["2.1"]
    assert await harness.held() == (["ours", "secret"] if edited else ["secret"])


async def test_two_processes_tell_a_picture_and_its_copy_apart(storage_place: StoragePlace) -> None:
    processes = []
    for number in range(2):
        storage = await storage_place.open()
        visual = embedded_search(storage)
        processes.append(Harness(storage, visual))
        if not number:
            async with storage.unit():
                await visual.create_database(PARTS)
                await storage.catalogue.create_database(PARTS)
    picture = random_picture(1)
    for attempt in range(3):
        shared = [
            await one.shared(some, f"{attempt}.{place}", f"F{attempt}{place}", f"copy_{attempt}_{place}")
            for place, (one, some) in enumerate(zip(processes, (picture, noisy_copy(picture)), strict=True))
        ]
        outcomes = await asyncio.gather(
            *(one.repost_guard.check(PARTS, some, 9) for one, some in zip(processes, shared, strict=True))
        )
        assert sum(outcome is None for outcome in outcomes) == (1 if attempt == 0 else 0)
    assert len(await processes[0].held()) == 1
    for one in processes:
        await one.storage.close()
