"""Finding by words over several databases, and for readers from whom channels were closed since."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import VisibleOrigins
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.services.text import find as find_module
from bot.services.text.find import FindService
from bot.services.text.found_words import match_words
from bot.storage.sql_storage import SqlStorage
from tests.fakes.texts import text_of

TEAM = WorkspaceId("T1")
PARTS, BRAND, GONE = (DatabaseKey(TEAM, DatabaseName(name)) for name in ("parts", "brand", "gone"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Reader:
    """Sees what came from channel C1. Channel C2 was public when its images were added."""

    async def visible(self, key: DatabaseKey) -> VisibleOrigins:
        return VisibleOrigins(frozenset({"C1", "C2"}))

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        seen = {}
        for record in records:
            if here := [one for one in record.origins if one.slack and one.slack.channel == "C1"]:
                seen[record.data_id] = record.seen_through(here)
        return seen


@pytest.fixture
async def find(storage: SqlStorage) -> FindService:
    for key in (PARTS, BRAND):
        await storage.catalogue.create_database(key)
    return FindService(storage.words, storage.texts, storage.catalogue)


async def add(storage: SqlStorage, number: int, key: DatabaseKey, entity: str, *said: tuple[str, str]) -> None:
    origins = tuple(
        Origin(OriginSource.MESSAGE, NOW, "U1", Note(note), "", SlackOrigin(f"F{channel}", channel, "1.0"))
        for channel, note in said
    )
    digest = f"{number:064d}"
    record = ImageRecord(key, DataId(str(number)), EntityId(entity), digest, digest, b"", 1, 1, origins)
    await storage.catalogue.add(record)


async def test_results_of_several_databases_are_merged(storage: SqlStorage, find: FindService) -> None:
    await add(storage, 1, PARTS, "one", ("C1", "red valve"))
    await add(storage, 2, BRAND, "valve", ("C1", "logo"))
    found = await find.find([PARTS, BRAND, GONE], "valve")
    assert [match.record.database.name for match in found.matches] == ["brand", "parts"], "the id is more telling"
    assert [info.key.name for info in found.databases] == ["parts", "brand"]
    assert [match.record.entity for match in (await find.find([PARTS, BRAND], "red valve")).matches] == ["one"]
    assert (await find.find([PARTS, BRAND], "valve", limit=1)).is_cut
    with pytest.raises(UnknownDatabase):
        await find.find([GONE], "valve")


async def test_words_of_a_channel_closed_since_then_count_for_nothing(storage: SqlStorage, find: FindService) -> None:
    await add(storage, 1, PARTS, "seen", ("C1", "harmless"), ("C2", "merger"))
    await add(storage, 2, PARTS, "hidden", ("C2", "harmless merger"))
    for number in range(3, 6):
        await add(storage, number, PARTS, f"more {number}", ("C2", "harmless"))
    reader = Reader()
    assert (await find.find([PARTS], "merger", readers=reader)).matches == ()
    found = await find.find([PARTS], "harmless", readers=reader, limit=2)
    assert [match.record.entity for match in found.matches] == ["seen"]
    assert not found.is_cut
    assert len((await find.find([PARTS], "harmless merger")).matches) == 2


@pytest.mark.usefixtures("find")
async def test_rarity_is_counted_from_what_the_reader_sees(storage: SqlStorage) -> None:
    await add(storage, 1, PARTS, "open", ("C1", ""))
    await add(storage, 2, PARTS, "secret", ("C3", ""))
    for line in ("open text", "secret text"):
        claim = await storage.texts.claim()
        assert claim is not None
        await storage.texts.finish(claim, text_of(line))
    assert await storage.texts.sample(PARTS, 10, VisibleOrigins(frozenset({"C1"}))) == [text_of("open text")]
    assert len(await storage.texts.sample(PARTS, 10)) == 2


async def test_long_texts_do_not_block_the_event_loop(
    storage: SqlStorage, find: FindService, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(storage, 1, PARTS, "one", ("C1", "red valve"))
    threads = set[threading.Thread]()

    def record(*args: Any) -> object:
        threads.add(threading.current_thread())
        return match_words(*args)

    monkeypatch.setattr(find_module, "match_words", record)
    assert (await find.find([PARTS], "valve")).matches
    assert threads
    assert threading.current_thread() not in threads
