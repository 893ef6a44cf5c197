"""The words by which images are found, on both databases: kept in step with every change, and seen by those who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from bot.domain.catalogue import ImageRecord, Origin, OriginScope, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.find_words import terms_of
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.storage.sql.schema.tables import origin_words
from bot.storage.sql_storage import SqlStorage
from tests.fakes.texts import text_of

TEAM = WorkspaceId("T1")
PARTS, BRAND = (DatabaseKey(TEAM, DatabaseName(name)) for name in ("parts", "brand"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
PLATE = "Pump 12.345-B0 Überdruck 水泵型号"


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    for key in (PARTS, BRAND):
        await storage.catalogue.create_database(key)
    return storage


def said(note: str = "", name: str = "", channel: str = "", entity: str | None = None, second: int = 0) -> Origin:
    """Return an origin with what was said there: in a private channel, or on the command line."""
    return Origin(
        OriginSource.MESSAGE if channel else OriginSource.COMMAND_LINE,
        NOW + timedelta(seconds=second),
        "U1",
        Note(note),
        name,
        SlackOrigin(f"F{channel}{second}", channel, "1.0", kind=ChannelKind.PRIVATE) if channel else None,
        None if entity is None else EntityId(entity),
    )


async def added(
    storage: SqlStorage, number: int, *origins: Origin, entity: str = "", key: DatabaseKey = PARTS
) -> ImageRecord:
    record = ImageRecord(
        database=key,
        data_id=DataId(f"{number}"),
        entity=EntityId(entity or f"part {number}"),
        digest=f"{number:064d}",
        source_digest="0" * 64,
        fingerprint=b"",
        width=1,
        height=1,
        origins=origins or (said(second=number),),
    )
    await storage.catalogue.add(record)
    return record


async def find(
    storage: SqlStorage, words: str, visible: VisibleOrigins | None = None, key: DatabaseKey = PARTS, limit: int = 10
) -> list[str]:
    return list(await storage.words.find(key, terms_of(words), visible, limit, words))


async def words_left(storage: SqlStorage) -> set[str]:
    def work(connection: Connection) -> set[str]:
        return set(connection.execute(select(origin_words.c.word)).scalars())

    return await storage._database.read(work)


async def test_words_are_found_as_typed_by_their_beginning_and_with_errors(storage: SqlStorage) -> None:
    note = "Kugelhahn DN25, Messing rot 图书馆 กล้องถ่ายรูป हिन्दी Łódź Straße"
    await added(storage, 1, said(note, "IMG_1234.jpg"), entity="VLV-0042/A")
    await added(storage, 2, said("gasket black", "pump.png"), entity="GSK-0043/B")
    questions = ["kugelhahn", "KUGELHÄHN", "kugel", "hahn", "kugelhanh", "kuglehan", "jugelhahn", "DN25", "messing rot"]
    questions += ["vlv-0042", "vlv0042a", "0042/A", "VLV", "IMG_12", "lodz", "Łódź", "straße", "STRASSE"]
    questions += ["图书", "书馆", "图", "กล้อง", "हिन्दी"]
    assert {words: await find(storage, words) for words in questions} == {words: ["1"] for words in questions}
    assert await find(storage, "kugelhahn", key=BRAND) == []


async def test_very_word_stays_if_too_many_begin_with_it(storage: SqlStorage) -> None:
    """Similar words count only if nobody has the word."""
    for number, note in enumerate(("red valve", "valves", "value", "valves")):
        await added(storage, number, said(note, second=number))
    assert await find(storage, "valve") == ["3", "1", "0"]
    assert await find(storage, "valve", limit=1) == ["0"]
    assert await find(storage, "valvf") == ["0"]


async def test_id_stays_if_too_many_newer_images_have_the_word(storage: SqlStorage) -> None:
    await added(storage, 1, entity="VALVE")
    for number in (2, 3, 4):
        await added(storage, number, said("valve", second=number))
    assert "1" in await find(storage, "valve", limit=3)


@pytest.mark.parametrize("words", ["valve\0", "valve\ud800", "valve " * 40])
async def test_question_that_can_not_be_an_id_is_searched_for_its_words(storage: SqlStorage, words: str) -> None:
    for number in (1, 2):
        await added(storage, number, said("valve", second=number))
    assert await find(storage, words, limit=1) == ["2"]


async def test_image_with_some_of_the_words_is_found_if_none_has_all(storage: SqlStorage) -> None:
    await added(storage, 1, said("red pump"))
    await added(storage, 2, said("red valve"))
    assert await find(storage, "red pump") == ["1"]
    assert (await find(storage, "red pump ceramic"))[0] == "1"


async def test_words_in_pictures_are_found(storage: SqlStorage) -> None:
    for number, line in ((1, PLATE), (2, "valve 99")):
        await added(storage, number)
        claim = await storage.texts.claim()
        assert claim is not None
        await storage.texts.finish(claim, text_of(line))
    # As typed, as misread, without accents, in part, in Chinese, and mistyped.
    questions = ["pump", "PUMP", "12.345-BO", "12345bo", "uberdr", "druck", "水泵", "型号", "泵", "pmup", "übberdruck"]
    questions += [f"{words} part" for words in questions]
    assert {words: await find(storage, words) for words in questions} == {words: ["1"] for words in questions}


async def test_lines_that_were_read_badly_are_not_found(storage: SqlStorage) -> None:
    await added(storage, 1)
    claim = await storage.texts.claim()
    assert claim is not None
    await storage.texts.finish(claim, text_of("pump", confidence=0.2))
    assert await find(storage, "pump") == []


async def test_word_counts_only_where_the_reader_may_read_it(storage: SqlStorage) -> None:
    open_one, secret = said("harmless", "open.png", "C1", "open"), said("merger", "plan.png", "C2", "secret", 1)
    await added(storage, 1, open_one, secret, entity="open")
    await added(storage, 2, said("merger", "plan.png", "C2", "secret", 2), entity="secret")
    claim = await storage.texts.claim()
    assert claim is not None
    await storage.texts.finish(claim, text_of("nameplate"))
    outsider, insider = VisibleOrigins(frozenset({"C1"})), VisibleOrigins(frozenset({"C1", "C2"}))
    for words in ("merger", "plan", "secret", "merge", "megrer", "harmless merger ceramic"):
        assert "2" not in await find(storage, words, outsider)
    assert await find(storage, "merger", outsider) == []
    assert await find(storage, "harmless", outsider) == ["1"]
    assert await find(storage, "nameplate harmless", outsider) == ["1"]
    assert await find(storage, "merger", insider) == ["2", "1"]
    assert await find(storage, "nameplate", VisibleOrigins(frozenset())) == []


async def test_hidden_images_leave_room_for_visible_ones(storage: SqlStorage) -> None:
    for number in range(6):
        await added(storage, number, said("valve", "", "C1" if number < 2 else "C2", second=number))
    assert await find(storage, "valve", VisibleOrigins(frozenset({"C1"})), limit=2) == ["1", "0"]


@pytest.mark.parametrize("newest", [1, 2000])
async def test_frequent_words_are_found(storage: SqlStorage, monkeypatch: pytest.MonkeyPatch, newest: int) -> None:
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.RARE", 2)
    monkeypatch.setattr("bot.storage.catalogue.texts.image_words.NEWEST", newest)
    for number in range(5):
        await added(storage, number, said("valve red" if number % 2 else "valve", second=number))
    assert await find(storage, "valve red", limit=2) == ["3", "1"]


async def test_rename_and_note_change_what_is_found(storage: SqlStorage) -> None:
    record = await added(storage, 1, said("old note"), entity="before")
    await storage.catalogue.rename([record], EntityId("after"))
    renamed = (await storage.catalogue.records(PARTS, [record.data_id]))[record.data_id]
    await storage.catalogue.set_note([renamed], Note("new remark"))
    assert [await find(storage, words) for words in ("before", "old", "after", "remark")] == [[], [], ["1"], ["1"]]


async def test_further_origin_brings_its_words_and_takes_them_along(storage: SqlStorage) -> None:
    record = await added(storage, 1, said("first", second=1), entity="one")
    later = said("second", "later.png", "C2", "two", 2)
    await storage.catalogue.add_origin(PARTS, record.digest, later)
    assert await find(storage, "second") == ["1"]
    await storage.catalogue.remove_origins(PARTS, record.data_id, OriginScope(TEAM, channel="C2"))
    assert [await find(storage, words) for words in ("second", "later", "two", "first")] == [[], [], [], ["1"]]


async def test_nothing_deleted_stays_in_the_index(storage: SqlStorage) -> None:
    first, second = await added(storage, 1, said("alpha")), await added(storage, 2, said("bravo"))
    await added(storage, 3, said("charlie"), key=BRAND)
    await storage.catalogue.remove(PARTS, first.entity)
    await storage.catalogue.remove_origins(PARTS, second.data_id, OriginScope(TEAM, before=NOW + timedelta(days=1)))
    await storage.catalogue.delete_database(BRAND)
    assert await words_left(storage) == set()


async def test_forgotten_workspace_leaves_no_words(storage: SqlStorage) -> None:
    origin = said("whispered", "secret.png", "C2", "X-1")
    imported = Origin(OriginSource.IMPORT, NOW, "U1", origin.note, origin.source_name, origin.slack, origin.entity)
    await added(storage, 1, imported, entity="X-1")
    assert await find(storage, "whispered") == ["1"]
    assert await storage.catalogue.forget_slack(PARTS, 10) == 1
    assert [await find(storage, words) for words in ("whispered", "secret")] == [[], []]
