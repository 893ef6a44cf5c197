"""Channels of old versions in the tables of the newest revision."""

from __future__ import annotations

from sqlalchemy import Engine, MetaData, Table, insert, select

from bot.domain.channels import NO_RULES, ChannelBinding, ChannelMode, GuardRules
from bot.domain.identifiers import DatabaseName
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.sql.old_revisions import BEGINNING, TEAM, downgrade, fill_first_version, upgrade


async def test_guard_channels_of_old_versions_check_every_image(engine: Engine, empty_database: StoragePlace) -> None:
    upgrade(engine, "0001")
    fill_first_version(engine)
    upgrade(engine, "0016")
    old = {"workspace": TEAM, "channel": "C1", "mode": "guard", "database_id": 1, "minimum": 9.5, "changed_by": "U1"}
    with engine.execution_options(immediate=True).begin() as connection:
        bindings = Table("channel_bindings", MetaData(), autoload_with=connection)
        connection.execute(insert(bindings), {**old, "changed_at": BEGINNING})
    expected = ChannelBinding(TEAM, "C1", ChannelMode.GUARD, DatabaseName("parts"), 9.5, "U1", NO_RULES)
    storage = await empty_database.open()
    try:
        assert await storage.bindings.get(TEAM, "C1") == expected
        await storage.bindings.put(ChannelBinding(TEAM, "C2", ChannelMode.GUARD, rules=GuardRules(30)))
    finally:
        await storage.close()
    downgrade(engine, "0016")
    with engine.connect() as connection:
        kept = Table("channel_bindings", MetaData(), autoload_with=connection)
        rows = connection.execute(select(kept.c.channel, kept.c.mode, kept.c.minimum).order_by(kept.c.channel)).all()
    assert [tuple(row) for row in rows] == [("C1", "guard", 9.5), ("C2", "guard", None)]
