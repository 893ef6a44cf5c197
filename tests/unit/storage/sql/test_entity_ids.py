"""Any printable id round trips through SQL, and existing ids stay when the tables are migrated."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, func, insert, select, update

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, WorkspaceId
from bot.domain.pages import PageRequest
from bot.storage.catalogue.image_changes import add_images, read_spellings, remove_images, rename_images
from bot.storage.catalogue.origins import read_records
from bot.storage.sql.migration import migrate
from bot.storage.sql.paging import ListedDatabase, read_page
from bot.storage.sql.schema.tables import databases, image_origins, images
from tests.fixtures.entities import HOSTILE_IDS, entities
from tests.fixtures.records import image_record
from tests.unit.storage.sql.old_revisions import downgrade, fill_first_version, upgrade

NOW = datetime(2026, 11, 30, tzinfo=UTC)
KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))


def add(connection: Connection, number: int, entity: EntityId) -> None:
    record = image_record(
        database=KEY, data_id=DataId(f"{number}"), digest=f"{number}", entity=entity, added_at=NOW, source_name="x"
    )
    add_images(connection, KEY, [record])


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entities, min_size=1, max_size=20, unique_by=lambda entity: entity.key))
def test_any_id_round_trips(engine: Engine, ids: list[EntityId]) -> None:
    migrate(engine)
    ids = [*dict.fromkeys(ids), *(EntityId(text) for text in HOSTILE_IDS)]
    ids = list({entity.key: entity for entity in ids}.values())
    with engine.execution_options(immediate=True).connect() as connection, connection.begin() as transaction:
        values = {"workspace": KEY.workspace, "name": "parts", "created_by": "", "revision": 0, "created_at": NOW}
        database_id = connection.execute(insert(databases), values).inserted_primary_key[0]  # type: ignore[index]
        for number, entity in enumerate(ids):
            add(connection, number, entity)
        assert connection.execute(select(images.c.entity).order_by(images.c.id)).scalars().all() == ids
        assert read_spellings(connection, KEY, [entity.key for entity in ids]) == {one.key: one for one in ids}
        for entity in ids:
            page = read_page(
                connection,
                images,
                ListedDatabase(database_id, KEY),
                PageRequest(limit=100, entity_prefix=entity),
                lambda row: EntityId(row.entity),
            )
            assert set(page.items) == {other for other in ids if other.key.startswith(entity.key)}
        # The first spelling stays.
        add(connection, len(ids), EntityId(ids[0].key[:64]))
        assert len(remove_images(connection, KEY, ids[0], None, NOW)) == 2
        rows = connection.execute(select(images).where(images.c.data_id == "1")).all()
        renamed = read_records(connection, KEY, rows)
        assert rename_images(connection, renamed, EntityId("Ω")) == (1 if len(ids) > 1 else 0)
        transaction.rollback()


def test_first_spelling_stays(engine: Engine) -> None:
    migrate(engine)
    with engine.execution_options(immediate=True).begin() as connection:
        values = {"workspace": KEY.workspace, "name": "parts", "created_by": "", "revision": 0, "created_at": NOW}
        connection.execute(insert(databases), values)
        for number, text in enumerate(("VLV-0042/A", "vlv-0042/a", "Vlv-0042/A")):
            add(connection, number, EntityId(text))
        assert connection.execute(select(images.c.entity)).scalars().all() == ["VLV-0042/A"] * 3


def test_existing_ids_stay_and_new_ones_get_names_that_earlier_versions_read(engine: Engine) -> None:
    upgrade(engine, "0001")
    fill_first_version(engine)
    migrate(engine)
    with engine.execution_options(immediate=True).begin() as connection:
        rows = connection.execute(select(images.c.entity, images.c.entity_key, images.c.named_automatically)).all()
        assert [tuple(row) for row in rows] == [("valve", "valve", False)] * 2
        for number, text in enumerate(("VLV-0042/A", "阀门-7", "阀门-8", "Valve")):
            add(connection, 10 + number, EntityId(text))
        given = select(image_origins.c.entity, image_origins.c.entity_key, image_origins.c.named_automatically)
        # The last four have the id of their image.
        assert [tuple(row) for row in connection.execute(given)][:-4] == [("valve", "valve", False)] * 2
        written = {"entity": "Größe 7", "entity_key": EntityId("Größe 7").key}
        of_valve = image_origins.c.entity == "valve"
        connection.execute(update(image_origins).where(of_valve).values(written))
    downgrade(engine, "0013")
    with engine.connect() as connection:
        earlier = connection.execute(select(image_origins.c.entity).where(image_origins.c.entity.is_not(None)))
        [name] = set(earlier.scalars())
        assert name.startswith("grosse_7_")
    downgrade(engine, "0009")
    with engine.connect() as connection:
        found = connection.execute(select(images.c.entity).order_by(images.c.id)).scalars().all()
    assert found[:2] == ["valve", "valve"]
    assert found[-1] == "valve"
    assert len(set(found)) == 4
    assert all(entity.replace("_", "a").isalnum() and entity.isascii() and entity.islower() for entity in found)
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(images)).scalar_one() == len(found)
