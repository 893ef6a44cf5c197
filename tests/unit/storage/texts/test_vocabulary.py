"""The words in memory: which resemble a word of a question, and how lists are brought up to date and forgotten."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from bot.domain.catalogue import ImageRecord, Origin, OriginSource
from bot.domain.find_words import Term, terms_of
from bot.domain.identifiers import DataId, EntityId, Note
from bot.domain.typing_errors import is_typing_error
from bot.storage.catalogue.rows import database_id_of
from bot.storage.catalogue.texts import vocabulary
from bot.storage.catalogue.texts.vocabulary import VocabularyCache
from bot.storage.catalogue.texts.word_list import WordList
from bot.storage.sql_storage import SqlStorage
from tests.fakes.clock import Clock
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.texts.images import NOW, PARTS

TERM = Term("valvf")

# Few letters, so that many words are near each other, of several scripts and planes.
WORDS = st.text("abøя水\U0001f9f0", min_size=1, max_size=11)


@given(st.sets(WORDS, max_size=40), WORDS)
def test_mistyped_words_are_those_that_differ_by_a_typing_error(words: set[str], typed: str) -> None:
    assert set(WordList.of(words).mistyped(typed)) == {word for word in words if is_typing_error(typed, word)}


@given(st.sets(st.text("ab#я", min_size=1, max_size=6), max_size=30), st.text("abя", min_size=1, max_size=3))
def test_words_with_letters_inside_are_found(words: set[str], letters: str) -> None:
    assert set(WordList.of(words).containing(letters)) == {word for word in words if letters in word}


async def add(storage: SqlStorage, number: int, note: str) -> ImageRecord:
    origin = Origin(OriginSource.COMMAND_LINE, NOW, "", Note(note))
    digest = f"{number:064d}"
    record = ImageRecord(PARTS, DataId(str(number)), EntityId(f"part {number}"), digest, digest, b"", 1, 1, (origin,))
    await storage.catalogue.add(record)
    return record


async def similar(storage: SqlStorage, cache: VocabularyCache, scopes: Sequence[str] = ("",)) -> set[str]:
    def work(connection: Connection) -> set[str]:
        return set(cache.read(connection, database_id_of(connection, PARTS), scopes).distant(TERM).words)

    return await storage._database.read(work)


@pytest.mark.parametrize("limit", ["MAX_NEW", "MAX_RECENT", None])
async def test_new_words_are_known_at_once(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch, limit: str | None
) -> None:
    cache = VocabularyCache()
    if limit:
        monkeypatch.setattr(vocabulary, limit, 1)
    assert await similar(storage, cache) == set()
    await add(storage, 1, "valve")
    assert await similar(storage, cache) == {"valve"}
    await add(storage, 2, "valves valvo red")
    assert await similar(storage, cache) == {"valve", "valvo"}
    assert await similar(storage, cache, ["C1"]) == set()


async def test_words_of_other_processes_are_known_at_once(storage: SqlStorage, storage_place: StoragePlace) -> None:
    other = await storage_place.open()
    try:
        await add(storage, 1, "valve")
        assert await other.words.find(PARTS, terms_of("valvf"), None, 5) == ["1"]
        await add(storage, 2, "valves")
        assert await other.words.find(PARTS, terms_of("valvesx"), None, 5) == ["2"]
    finally:
        await other.close()


async def test_deleted_words_are_forgotten(storage: SqlStorage) -> None:
    clock = Clock(NOW)
    cache = VocabularyCache(clock=lambda: clock().timestamp())
    record = await add(storage, 1, "valve")
    assert await similar(storage, cache) == {"valve"}
    await storage.catalogue.remove(PARTS, record.entity)
    clock.now = NOW.replace(hour=1)
    assert await similar(storage, cache) == set()


async def test_lists_that_nobody_used_for_a_day_are_forgotten(storage: SqlStorage) -> None:
    clock = Clock(NOW)
    cache = VocabularyCache(clock=lambda: clock().timestamp())
    await similar(storage, cache, ["C1"])
    clock.pass_by(25 * 3600)
    await similar(storage, cache, ["C2"])
    assert [scope for _, scope in cache._kept] == ["C2"]


async def test_lists_of_databases_that_nobody_searches_make_room(storage: SqlStorage) -> None:
    cache = VocabularyCache(max_bytes=1)
    await add(storage, 1, "valve")
    assert await similar(storage, cache) == {"valve"}
    assert not cache._kept
    assert await similar(storage, cache) == {"valve"}
