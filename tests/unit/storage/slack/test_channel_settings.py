"""Channel bindings, and offers of a database."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.storages import StoragePlace

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS = DatabaseKey(TEAM, DatabaseName("parts"))
GUARD = ChannelBinding(TEAM, "C1", ChannelMode.GUARD, PARTS.name, 9.5, "U1")


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    await storage.catalogue.create_database(PARTS)
    return storage


@pytest.mark.parametrize(
    "binding",
    [GUARD, ChannelBinding(TEAM, "C1"), ChannelBinding(TEAM, "C1", ChannelMode.OFF, minimum=0.0, changed_by="U2")],
)
async def test_binding_round_trip(storage: SqlStorage, binding: ChannelBinding) -> None:
    assert await storage.bindings.get(TEAM, "C1") is None
    await storage.bindings.put(binding)
    assert await storage.bindings.get(TEAM, "C1") == binding


async def test_last_binding_of_each_channel_is_stored(storage: SqlStorage) -> None:
    other = dataclasses.replace(GUARD, channel="C0", database=None)
    for binding in (GUARD, other, ChannelBinding(OTHER_TEAM, "C1"), ChannelBinding(TEAM, "C1", ChannelMode.COLLECT)):
        await storage.bindings.put(binding)
    assert await storage.bindings.all(TEAM) == (other, ChannelBinding(TEAM, "C1", ChannelMode.COLLECT))
    assert await storage.bindings.get(OTHER_TEAM, "C0") is None


async def test_unknown_database_is_refused(storage: SqlStorage) -> None:
    await storage.bindings.put(GUARD)
    for wrong in (
        dataclasses.replace(GUARD, database=DatabaseName("absent")),
        dataclasses.replace(GUARD, workspace=OTHER_TEAM),
    ):
        with pytest.raises(UnknownDatabase):
            await storage.bindings.put(wrong)
    assert await storage.bindings.all(TEAM) == (GUARD,)
    assert await storage.bindings.all(OTHER_TEAM) == ()


async def test_deleted_database_is_unset_even_if_recreated(storage: SqlStorage) -> None:
    await storage.bindings.put(GUARD)
    await storage.catalogue.delete_database(PARTS)
    unset = dataclasses.replace(GUARD, database=None)
    assert await storage.bindings.get(TEAM, "C1") == unset
    await storage.catalogue.create_database(PARTS)
    assert await storage.bindings.all(TEAM) == (unset,)


async def test_offer_is_claimed_once_per_channel(storage_place: StoragePlace, storage: SqlStorage) -> None:
    other = await storage_place.open()
    try:
        claims = (one.bindings.claim_offer(TEAM, "C1") for one in (storage, other) * 5)
        assert sorted(await asyncio.gather(*claims)) == [False] * 9 + [True]
    finally:
        await other.close()
    assert await storage.bindings.claim_offer(TEAM, "C2")
    assert await storage.bindings.claim_offer(OTHER_TEAM, "C1")


async def test_offer_and_binding_are_independent(storage: SqlStorage) -> None:
    await storage.bindings.claim_offer(TEAM, "C1")
    assert await storage.bindings.get(TEAM, "C1") is None
    assert await storage.bindings.all(TEAM) == ()
    await storage.bindings.put(GUARD)
    assert not await storage.bindings.claim_offer(TEAM, "C1")
    await storage.bindings.put(dataclasses.replace(GUARD, channel="C2"))
    assert await storage.bindings.claim_offer(TEAM, "C2")
    assert await storage.bindings.get(TEAM, "C2") == dataclasses.replace(GUARD, channel="C2")


async def test_forget_workspace_deletes_its_bindings_and_offers(storage: SqlStorage) -> None:
    theirs = ChannelBinding(OTHER_TEAM, "C1")
    for binding in (GUARD, theirs):
        await storage.bindings.put(binding)
    await storage.bindings.claim_offer(TEAM, "C1")
    await storage.bindings.forget_workspace(TEAM)
    assert await storage.bindings.all(TEAM) == ()
    assert await storage.bindings.all(OTHER_TEAM) == (theirs,)
    assert await storage.bindings.claim_offer(TEAM, "C1")


async def test_failed_unit_sets_nothing(storage: SqlStorage) -> None:
    async def set_and_fail() -> None:
        async with storage.unit():
            await storage.bindings.put(GUARD)
            assert await storage.bindings.get(TEAM, "C1") == GUARD
            await storage.bindings.claim_offer(TEAM, "C2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await set_and_fail()
    assert await storage.bindings.get(TEAM, "C1") is None
    assert await storage.bindings.claim_offer(TEAM, "C2")
