"""Pictures that the bot uploads to Slack: each once, seen by nobody else, and gone when their image is."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import BackendDown
from bot.models import DatabaseKey, DatabaseName, DataId, EntityId, ImageRecord, Note, WorkspaceId
from bot.storage.sql import SqlStorage
from handlers import uploads as module
from handlers.uploads import Uploads
from tests.fakes.slack import FakeSlack
from tests.grounds import Ground

DELAYS_S = (0.2, 0.4, 0.8, 1.6)


class Pictures:
    """Satisfies Stored. What is in ``missing`` is gone; remembers how many were read at once."""

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


class House:
    """Uploads to a stand-in, with a memory in SQL; ``slept`` is what it would have waited."""

    def __init__(self, slack: FakeSlack, storage: SqlStorage) -> None:
        self.slack, self.storage = slack, storage
        self.pictures, self.slept = Pictures(), list[float]()
        self.workspace = WorkspaceId(slack.state.team)
        self.client = AsyncWebClient(slack.state.bot_token, slack.api_url)
        self.uploads = Uploads(storage.thumbnails, self.pictures, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def files(self, *records: ImageRecord) -> dict[str, str]:
        return dict(await self.uploads.files(self.workspace, self.client, records))

    async def remembered(self, *records: ImageRecord) -> dict[str, str]:
        return dict(await self.storage.thumbnails.get(self.workspace, [record.digest for record in records]))

    @property
    def left(self) -> list[str]:
        """What the bot has in Slack."""
        return [file for file in self.slack.state.uploads if not self.slack.state.files[file].deleted]


@pytest.fixture
async def house(ground: Ground) -> AsyncIterator[House]:
    storage = await ground.open()
    async with FakeSlack() as slack:
        yield House(slack, storage)
        assert slack.failures == []
    await storage.close()


def image(number: int) -> ImageRecord:
    return ImageRecord(
        database=DatabaseKey(WorkspaceId("T0FAKE"), DatabaseName("parts")),
        data_id=DataId(f"id{number}"),
        entity=EntityId(f"valve_{number}"),
        note=Note(),
        digest=hashlib.sha256(b"%d" % number).hexdigest(),
        source_digest="s",
        fingerprint=b"",
        width=1,
        height=1,
        added_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


async def test_each_picture_is_uploaded_once_and_shared_with_nobody(house: House) -> None:
    first = await house.files(image(1), image(2), image(1))
    assert set(first) == {image(1).digest, image(2).digest}
    assert await house.files(image(1), image(2)) == first
    assert sorted(house.left) == sorted(first.values())
    for file in first.values():
        hosted = house.slack.state.files[file]
        assert hosted.channels == set()
        assert hosted.name.startswith("valve_")
    assert house.slept == []


async def test_answers_at_the_same_moment_share_an_upload(house: House) -> None:
    first, second = await asyncio.gather(house.files(image(1), image(2)), house.files(image(2), image(1)))
    assert first == second
    assert len(house.left) == 2


async def test_nothing_to_upload_asks_slack_nothing(house: House) -> None:
    assert await house.files() == {}
    assert house.slack.state.calls == []


async def test_no_more_than_a_few_are_under_way_at_once(house: House) -> None:
    found = await house.files(*(image(number) for number in range(10)))
    assert len(found) == 10
    assert house.pictures.most_at_once <= module.AT_ONCE


async def test_slack_is_given_time_to_look_at_each(house: House) -> None:
    house.slack.state.processing_looks = 2
    assert list(await house.files(image(1))) == [image(1).digest]
    assert house.slept == list(DELAYS_S[:2])


async def test_what_slack_does_not_get_done_with_is_left_out_and_remembered(house: House) -> None:
    house.slack.state.processing_looks = 99
    assert await house.files(image(1)) == {}
    assert house.slept == list(DELAYS_S)
    # Or nobody would ever delete it.
    assert list((await house.remembered(image(1))).values()) == house.left


async def test_a_picture_that_is_gone_spoils_none_of_the_others(house: House) -> None:
    house.pictures.missing = {image(1).digest}
    assert list(await house.files(image(1), image(2))) == [image(2).digest]


async def test_a_disk_or_a_slack_that_fails_leaves_pictures_out(house: House) -> None:
    house.pictures.failing = True
    assert await house.files(image(1)) == {}
    house.pictures.failing = False
    house.slack.break_next("files.getUploadURLExternal")
    assert await house.files(image(1)) == {}
    assert len(await house.files(image(1))) == 1


async def test_an_answer_does_not_wait_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL_WITHIN_S", 0.05)
    house.pictures.slow = True
    assert await house.files(image(1)) == {}


async def test_what_was_done_when_the_time_was_over_is_shown(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    known = await house.files(image(1))
    monkeypatch.setattr(module, "ALL_WITHIN_S", 0.05)
    house.pictures.slow = True
    assert await house.files(image(1), image(2)) == known


async def test_what_slack_has_no_more_is_uploaded_again(house: House) -> None:
    first = await house.files(image(1), image(2))
    one, two = first[image(1).digest], first[image(2).digest]
    house.slack.state.files[one].deleted = True
    assert await house.uploads.check(house.workspace, house.client, [one, two]) == [one]
    again = await house.files(image(1), image(2))
    assert again[image(1).digest] != one
    assert again[image(2).digest] == two


async def test_what_slack_is_not_done_with_is_told_and_kept(house: House) -> None:
    house.slack.state.processing_looks = 99
    await house.files(image(1))
    [file] = house.left
    assert await house.uploads.check(house.workspace, house.client, [file]) == [file]
    assert await house.remembered(image(1)) == {image(1).digest: file}


async def test_a_slack_that_does_not_answer_loses_no_upload(house: House) -> None:
    found = await house.files(image(1))
    house.slack.refuse_next("files.info", "internal_error")
    assert await house.uploads.check(house.workspace, house.client, found.values()) == []
    assert await house.remembered(image(1)) == found


async def test_a_file_that_somebody_deleted_is_forgotten_in_its_own_workspace(house: House) -> None:
    found = await house.files(image(1))
    [file] = found.values()
    await house.uploads.deleted(WorkspaceId("T0OTHER"), file)
    assert await house.remembered(image(1)) == found
    await house.uploads.deleted(house.workspace, file)
    assert await house.remembered(image(1)) == {}


async def test_uploads_of_images_that_no_database_has_are_deleted_from_slack(house: House) -> None:
    catalogue = house.storage.catalogue
    await catalogue.create_database(image(1).database)
    await catalogue.add(image(1))
    found = await house.files(image(1), image(2), image(3))
    house.slack.refuse_next("files.delete", "file_not_found")
    await house.uploads.sweep(house.workspace, house.client)
    assert await house.remembered(image(1), image(2), image(3)) == {image(1).digest: found[image(1).digest]}
    assert len(house.slack.calls("files.delete")) == 2
    await house.uploads.sweep(house.workspace, house.client)
    assert len(house.slack.calls("files.delete")) == 2


async def test_an_upload_that_slack_would_not_delete_now_is_deleted_later(house: House) -> None:
    picture = image(1)
    await house.files(picture)
    assert len(house.left) == 1
    house.slack.refuse_next("files.delete", "internal_error")
    await house.uploads.sweep(house.workspace, house.client)
    assert len(house.left) == 1
    await house.uploads.sweep(house.workspace, house.client)
    assert house.left == []
