"""Thumbnail uploads: each picture once, shared with nobody, and deleted with its image."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.catalogue import ImageRecord
from bot.domain.errors import BackendDown
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from handlers.replies import uploads as module
from handlers.replies.uploads import ThumbnailUploads
from tests.fakes.slack import FakeSlack
from tests.fixtures.records import image_record
from tests.fixtures.storages import StoragePlace

DELAYS_S = (0.2, 0.4, 0.8, 1.6)


class Pictures:
    """A picture store without the pictures in ``missing``. Records how many were read concurrently."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.failing = False
        self.slow = False
        self.at_once = self.most_at_once = 0

    async def get(self, digest: str) -> bytes:
        if self.failing:
            raise BackendDown("the disk is away")
        if digest in self.missing:
            raise KeyError(digest)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(60 if self.slow else 0)
        self.at_once -= 1
        return digest.encode()


class Harness:
    """Uploads to the fake of Slack, with records in SQL. ``slept`` has the delays instead of waiting."""

    def __init__(self, slack: FakeSlack, storage: SqlStorage) -> None:
        self.slack, self.storage = slack, storage
        self.pictures, self.slept = Pictures(), list[float]()
        self.workspace = WorkspaceId(slack.state.team)
        self.client = AsyncWebClient(slack.state.bot_token, slack.api_url)
        self.uploads = ThumbnailUploads(storage.thumbnails, self.pictures, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def files(self, *records: ImageRecord) -> dict[str, str]:
        return dict(await self.uploads.files(self.workspace, self.client, records))

    async def remembered(self, *records: ImageRecord) -> dict[str, str]:
        return dict(await self.storage.thumbnails.get(self.workspace, [record.digest for record in records]))

    @property
    def left(self) -> list[str]:
        """The bot's files in Slack."""
        return [file for file in self.slack.state.uploads if not self.slack.state.files[file].deleted]


@pytest.fixture
async def harness(storage_place: StoragePlace) -> AsyncIterator[Harness]:
    storage = await storage_place.open()
    async with FakeSlack() as slack:
        yield Harness(slack, storage)
        assert slack.failures == []
    await storage.close()


def image(number: int) -> ImageRecord:
    return image_record(
        database=DatabaseKey(WorkspaceId("T0FAKE"), DatabaseName("parts")),
        data_id=DataId(f"id{number}"),
        entity=EntityId(f"valve_{number}"),
        digest=hashlib.sha256(b"%d" % number).hexdigest(),
        added_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


async def test_picture_is_uploaded_once_and_shared_with_nobody(harness: Harness) -> None:
    first = await harness.files(image(1), image(2), image(1))
    assert set(first) == {image(1).digest, image(2).digest}
    assert await harness.files(image(1), image(2)) == first
    assert sorted(harness.left) == sorted(first.values())
    for file in first.values():
        hosted = harness.slack.state.files[file]
        assert hosted.channels == set()
        assert (hosted.name, hosted.info["title"]) == ("picture.jpg", "Picture")
    assert harness.slept == []


async def test_concurrent_answers_share_an_upload(harness: Harness) -> None:
    first, second = await asyncio.gather(harness.files(image(1), image(2)), harness.files(image(2), image(1)))
    assert first == second
    assert len(harness.left) == 2


async def test_empty_upload_makes_no_calls(harness: Harness) -> None:
    assert await harness.files() == {}
    assert harness.slack.state.calls == []


async def test_concurrent_uploads_are_limited(harness: Harness) -> None:
    found = await harness.files(*(image(number) for number in range(10)))
    assert len(found) == 10
    assert harness.pictures.most_at_once <= module.CONCURRENCY


async def test_upload_waits_until_slack_has_processed_the_file(harness: Harness) -> None:
    harness.slack.state.processing_looks = 2
    assert list(await harness.files(image(1))) == [image(1).digest]
    assert harness.slept == list(DELAYS_S[:2])


async def test_unprocessed_upload_is_left_out_but_recorded(harness: Harness) -> None:
    harness.slack.state.processing_looks = 99
    assert await harness.files(image(1)) == {}
    assert harness.slept == list(DELAYS_S)
    # Without the record, the file would never be deleted.
    assert list((await harness.remembered(image(1))).values()) == harness.left


async def test_missing_picture_does_not_affect_others(harness: Harness) -> None:
    harness.pictures.missing = {image(1).digest}
    assert list(await harness.files(image(1), image(2))) == [image(2).digest]


async def test_failed_uploads_are_left_out(harness: Harness) -> None:
    harness.pictures.failing = True
    assert await harness.files(image(1)) == {}
    harness.pictures.failing = False
    harness.slack.break_next("files.getUploadURLExternal")
    assert await harness.files(image(1)) == {}
    assert len(await harness.files(image(1))) == 1


async def test_uploads_have_a_total_timeout(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL_TIMEOUT_S", 0.05)
    harness.pictures.slow = True
    assert await harness.files(image(1)) == {}


async def test_uploads_finished_before_the_timeout_are_used(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    known = await harness.files(image(1))
    monkeypatch.setattr(module, "TOTAL_TIMEOUT_S", 0.05)
    harness.pictures.slow = True
    assert await harness.files(image(1), image(2)) == known


async def test_deleted_uploads_are_uploaded_again(harness: Harness) -> None:
    first = await harness.files(image(1), image(2))
    one, two = first[image(1).digest], first[image(2).digest]
    harness.slack.state.files[one].deleted = True
    assert await harness.uploads.check(harness.workspace, harness.client, [one, two]) == [one]
    again = await harness.files(image(1), image(2))
    assert again[image(1).digest] != one
    assert again[image(2).digest] == two


async def test_unprocessed_upload_is_reported_and_kept(harness: Harness) -> None:
    harness.slack.state.processing_looks = 99
    await harness.files(image(1))
    [file] = harness.left
    assert await harness.uploads.check(harness.workspace, harness.client, [file]) == [file]
    assert await harness.remembered(image(1)) == {image(1).digest: file}


async def test_unanswered_check_keeps_the_uploads(harness: Harness) -> None:
    found = await harness.files(image(1))
    harness.slack.refuse_next("files.info", "internal_error")
    assert await harness.uploads.check(harness.workspace, harness.client, found.values()) == []
    assert await harness.remembered(image(1)) == found


async def test_deleted_file_is_forgotten_only_in_its_workspace(harness: Harness) -> None:
    found = await harness.files(image(1))
    [file] = found.values()
    await harness.uploads.deleted(WorkspaceId("T0OTHER"), file)
    assert await harness.remembered(image(1)) == found
    await harness.uploads.deleted(harness.workspace, file)
    assert await harness.remembered(image(1)) == {}


async def test_unused_uploads_are_deleted_from_slack(harness: Harness) -> None:
    catalogue = harness.storage.catalogue
    await catalogue.create_database(image(1).database)
    await catalogue.add(image(1))
    found = await harness.files(image(1), image(2), image(3))
    harness.slack.refuse_next("files.delete", "file_not_found")
    await harness.uploads.sweep(harness.workspace, harness.client)
    assert await harness.remembered(image(1), image(2), image(3)) == {image(1).digest: found[image(1).digest]}
    assert len(harness.slack.calls("files.delete")) == 2
    await harness.uploads.sweep(harness.workspace, harness.client)
    assert len(harness.slack.calls("files.delete")) == 2


async def test_failed_deletion_of_an_upload_is_repeated(harness: Harness) -> None:
    picture = image(1)
    await harness.files(picture)
    assert len(harness.left) == 1
    harness.slack.refuse_next("files.delete", "internal_error")
    await harness.uploads.sweep(harness.workspace, harness.client)
    assert len(harness.left) == 1
    await harness.uploads.sweep(harness.workspace, harness.client)
    assert harness.left == []
