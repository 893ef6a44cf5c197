"""Channel settings, and the database of a channel."""

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
def channel_settings(storage: SqlStorage) -> ChannelSettingsService:
    return ChannelSettingsService(storage.bindings, storage.catalogue)


async def create(storage: SqlStorage, *names: DatabaseName, workspace: WorkspaceId = TEAM) -> None:
    for name in names:
        await storage.catalogue.create_database(DatabaseKey(workspace, name))


async def test_default_mode_is_lookup(channel_settings: ChannelSettingsService) -> None:
    assert await channel_settings.get(TEAM, "C1") == ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP)
    assert await channel_settings.all(TEAM) == ()


async def test_settings_apply_to_one_channel_of_one_workspace(
    storage: SqlStorage, channel_settings: ChannelSettingsService
) -> None:
    await create(storage, PARTS)
    binding = ChannelBinding(TEAM, "C1", ChannelMode.GUARD, PARTS, 8.5, "U1")
    assert await channel_settings.watch(binding) == binding
    assert await channel_settings.get(TEAM, "C1") == binding
    assert await channel_settings.all(TEAM) == (binding,)
    for elsewhere in ((TEAM, "C2"), (OTHER_TEAM, "C1")):
        assert (await channel_settings.get(*elsewhere)).mode is ChannelMode.LOOKUP


async def test_unwatched_channel_is_off_until_watched_again(channel_settings: ChannelSettingsService) -> None:
    assert (await channel_settings.unwatch(TEAM, "C1", "U1")).mode is ChannelMode.OFF
    assert await channel_settings.get(TEAM, "C1") == ChannelBinding(TEAM, "C1", ChannelMode.OFF, changed_by="U1")
    await channel_settings.watch(ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP))
    assert (await channel_settings.get(TEAM, "C1")).mode is ChannelMode.LOOKUP


async def test_unknown_database_is_refused_with_a_similar_name(
    storage: SqlStorage, channel_settings: ChannelSettingsService
) -> None:
    await create(storage, PARTS)
    await create(storage, LOGOS, workspace=OTHER_TEAM)
    with pytest.raises(UnknownDatabase, match="Did you mean “parts”"):
        await channel_settings.watch(ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP, DatabaseName("part")))
    with pytest.raises(UnknownDatabase):
        await channel_settings.watch(ChannelBinding(TEAM, "C1", ChannelMode.LOOKUP, LOGOS))
    assert await channel_settings.all(TEAM) == ()


@pytest.mark.parametrize("minimum", [-0.1, 10.1, math.nan, math.inf])
async def test_minimum_score_must_be_from_0_to_10(channel_settings: ChannelSettingsService, minimum: float) -> None:
    with pytest.raises(InvalidInput):
        await channel_settings.watch(ChannelBinding(TEAM, "C1", ChannelMode.GUARD, minimum=minimum))
    assert await channel_settings.all(TEAM) == ()


async def test_offer_can_be_claimed_once(channel_settings: ChannelSettingsService) -> None:
    assert [await channel_settings.claim_offer(TEAM, "C1") for _ in range(3)] == [True, False, False]
    assert await channel_settings.claim_offer(TEAM, "C2")
    assert await channel_settings.all(TEAM) == ()


async def test_channel_uses_its_own_database_or_the_only_one(
    storage: SqlStorage, channel_settings: ChannelSettingsService
) -> None:
    free = ChannelBinding(TEAM, "C1")
    with pytest.raises(NoDatabase):
        await channel_settings.database_of(free)
    await create(storage, PARTS)
    assert await channel_settings.database_of(free) == DatabaseKey(TEAM, PARTS)
    await create(storage, LOGOS)
    with pytest.raises(SeveralDatabases):
        await channel_settings.database_of(free)
    assert await channel_settings.database_of(ChannelBinding(TEAM, "C1", database=LOGOS)) == DatabaseKey(TEAM, LOGOS)


async def test_deleted_database_is_removed_from_the_channel_settings(
    storage: SqlStorage, channel_settings: ChannelSettingsService
) -> None:
    await create(storage, PARTS, LOGOS)
    bound = await channel_settings.watch(ChannelBinding(TEAM, "C1", ChannelMode.COLLECT, PARTS))
    await storage.catalogue.delete_database(DatabaseKey(TEAM, PARTS))
    with pytest.raises(UnknownDatabase):
        await channel_settings.database_of(bound)
    assert (await channel_settings.get(TEAM, "C1")).database is None


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_collect_and_guard_need_a_chosen_database(
    storage: SqlStorage, channel_settings: ChannelSettingsService, mode: ChannelMode
) -> None:
    await create(storage, PARTS, LOGOS)
    await channel_settings.watch(ChannelBinding(TEAM, "C1", mode, PARTS))
    await storage.catalogue.delete_database(DatabaseKey(TEAM, PARTS))
    with pytest.raises(SeveralDatabases):
        await channel_settings.database_of(await channel_settings.get(TEAM, "C1"))
    await storage.catalogue.delete_database(DatabaseKey(TEAM, LOGOS))
    with pytest.raises(NoDatabase):
        await channel_settings.database_of(await channel_settings.get(TEAM, "C1"))
