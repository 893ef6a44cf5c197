"""A channel's settings, and the database that its images are looked up in."""

from __future__ import annotations

import math

import pytest

from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.errors import InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.search.lookup import NoDatabase, SeveralDatabases
from bot.storage.sql_storage import SqlStorage

TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
PARTS, LOGOS = DatabaseName("parts"), DatabaseName("logos")


@pytest.fixture
def watching(storage: SqlStorage) -> ChannelSettingsService:
    return ChannelSettingsService(storage.bindings, storage.catalogue)


async def create(storage: SqlStorage, *names: DatabaseName, workspace: WorkspaceId = TEAM) -> None:
    for name in names:
        await storage.catalogue.create_database(DatabaseKey(workspace, name))


async def test_where_nothing_was_set_images_are_looked_up(watching: ChannelSettingsService) -> None:
    assert await watching.get(TEAM, "C1") == ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP)
    assert await watching.all(TEAM) == ()


async def test_what_is_set_holds_for_that_channel_of_that_workspace(
    storage: SqlStorage, watching: ChannelSettingsService
) -> None:
    await create(storage, PARTS)
    binding = ChannelBinding(TEAM, "C1", ChannelMode.GUARD, PARTS, 8.5, "U1")
    assert await watching.watch(binding) == binding
    assert await watching.get(TEAM, "C1") == binding
    assert await watching.all(TEAM) == (binding,)
    for elsewhere in ((TEAM, "C2"), (OTHER_TEAM, "C1")):
        assert (await watching.get(*elsewhere)).mode is ChannelMode.LOOKUP


async def test_an_unwatched_channel_is_left_alone_until_it_is_watched_again(watching: ChannelSettingsService) -> None:
    assert (await watching.unwatch(TEAM, "C1", "U1")).mode is ChannelMode.OFF
    assert await watching.get(TEAM, "C1") == ChannelBinding(TEAM, "C1", ChannelMode.OFF, changed_by="U1")
    await watching.watch(ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP))
    assert (await watching.get(TEAM, "C1")).mode is ChannelMode.LOOKUP


async def test_a_database_that_is_not_there_is_refused_with_a_near_name(
    storage: SqlStorage, watching: ChannelSettingsService
) -> None:
    await create(storage, PARTS)
    await create(storage, LOGOS, workspace=OTHER_TEAM)
    with pytest.raises(UnknownDatabase, match="Did you mean “parts”"):
        await watching.watch(ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP, DatabaseName("part")))
    with pytest.raises(UnknownDatabase):
        await watching.watch(ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP, LOGOS))
    assert await watching.all(TEAM) == ()


@pytest.mark.parametrize("minimum", [-0.1, 10.1, math.nan, math.inf])
async def test_a_least_score_is_from_0_to_10(watching: ChannelSettingsService, minimum: float) -> None:
    with pytest.raises(InvalidInput):
        await watching.watch(ChannelBinding(TEAM, "C1", ChannelMode.GUARD, minimum=minimum))
    assert await watching.all(TEAM) == ()


async def test_a_channel_is_offered_a_database_once(watching: ChannelSettingsService) -> None:
    assert [await watching.claim_offer(TEAM, "C1") for _ in range(3)] == [True, False, False]
    assert await watching.claim_offer(TEAM, "C2")
    assert await watching.all(TEAM) == ()


async def test_a_channel_uses_its_own_database_or_else_the_only_one(
    storage: SqlStorage, watching: ChannelSettingsService
) -> None:
    free = ChannelBinding(TEAM, "C1")
    with pytest.raises(NoDatabase):
        await watching.database_of(free)
    await create(storage, PARTS)
    assert await watching.database_of(free) == DatabaseKey(TEAM, PARTS)
    await create(storage, LOGOS)
    with pytest.raises(SeveralDatabases):
        await watching.database_of(free)
    assert await watching.database_of(ChannelBinding(TEAM, "C1", database=LOGOS)) == DatabaseKey(TEAM, LOGOS)


async def test_a_database_that_was_deleted_is_no_longer_the_channel_s(
    storage: SqlStorage, watching: ChannelSettingsService
) -> None:
    await create(storage, PARTS, LOGOS)
    bound = await watching.watch(ChannelBinding(TEAM, "C1", ChannelMode.COLLECT, PARTS))
    await storage.catalogue.delete_database(DatabaseKey(TEAM, PARTS))
    with pytest.raises(UnknownDatabase):
        await watching.database_of(bound)
    assert (await watching.get(TEAM, "C1")).database is None


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_collecting_needs_a_chosen_database(
    storage: SqlStorage, watching: ChannelSettingsService, mode: ChannelMode
) -> None:
    await create(storage, PARTS, LOGOS)
    await watching.watch(ChannelBinding(TEAM, "C1", mode, PARTS))
    await storage.catalogue.delete_database(DatabaseKey(TEAM, PARTS))
    with pytest.raises(SeveralDatabases):
        await watching.database_of(await watching.get(TEAM, "C1"))
    await storage.catalogue.delete_database(DatabaseKey(TEAM, LOGOS))
    with pytest.raises(NoDatabase):
        await watching.database_of(await watching.get(TEAM, "C1"))
