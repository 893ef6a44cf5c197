"""The words follow every change of an image, and go with it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, select

from bot.domain.catalogue import Origin, OriginScope, OriginSource
from bot.domain.identifiers import EntityId, Note
from bot.storage.sql.schema.tables import origin_words
from bot.storage.sql_storage import SqlStorage
from tests.unit.storage.texts.images import BRAND, NOW, PARTS, TEAM, added, find, said


async def words_left(storage: SqlStorage) -> set[str]:
    def work(connection: Connection) -> set[str]:
        return set(connection.execute(select(origin_words.c.word)).scalars())

    return await storage._database.read(work)


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
