"""Databases: made, listed, deleted, and kept apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from bot.adapters.port import VisualSearch
from bot.domain.errors import DatabaseExists, InvalidInput, UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from tests.fakes.features import random_picture

ABSENT = DatabaseKey(WorkspaceId("T1"), DatabaseName("absent"))
VALVE = EntityId("valve")

Operation = Callable[[VisualSearch, DatabaseKey], Awaitable[object]]

OPERATIONS: dict[str, Operation] = {
    "delete_database": lambda visual, key: visual.delete_database(key),
    "add_image": lambda visual, key: visual.add_image(key, random_picture(1), VALVE, Note()),
    "list_images": lambda visual, key: visual.list_images(key, PageRequest()),
    "delete_images": lambda visual, key: visual.delete_images(key, VALVE),
    "delete_one": lambda visual, key: visual.delete_images(key, VALVE, DataId("1")),
    "search": lambda visual, key: visual.search(key, random_picture(1)),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_operation_on_an_unknown_database_says_so(visual: VisualSearch, name: str) -> None:
    with pytest.raises(UnknownDatabase, match="absent"):
        await OPERATIONS[name](visual, ABSENT)
    assert await visual.list_databases(ABSENT.workspace) == ()


async def test_a_name_is_taken_once(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(1), VALVE, Note())
    with pytest.raises(DatabaseExists, match="parts"):
        await visual.create_database(parts)
    assert len(await visual.search(parts, random_picture(1))) == 1


async def test_databases_are_listed_by_name(visual: VisualSearch) -> None:
    workspace = WorkspaceId("T1")
    for name in ("zebra", "_under", "apple", "9lives"):
        await visual.create_database(DatabaseKey(workspace, DatabaseName(name)))
    assert await visual.list_databases(workspace) == ("9lives", "_under", "apple", "zebra")


async def test_a_workspace_without_databases_lists_none(visual: VisualSearch, parts: DatabaseKey) -> None:
    assert await visual.list_databases(WorkspaceId("T2")) == ()


async def test_two_workspaces_may_use_one_name_and_never_meet(visual: VisualSearch, parts: DatabaseKey) -> None:
    theirs = DatabaseKey(WorkspaceId("T2"), parts.name)
    await visual.create_database(theirs)
    await visual.add_image(parts, random_picture(1), VALVE, Note("ours"))

    assert await visual.search(theirs, random_picture(1)) == ()
    assert (await visual.list_images(theirs, PageRequest())).total == 0
    assert await visual.delete_images(theirs, VALVE) == 0
    await visual.delete_database(theirs)
    assert [match.note for match in await visual.search(parts, random_picture(1))] == ["ours"]


async def test_a_deleted_database_is_gone_and_can_be_made_again_empty(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(1), VALVE, Note())
    assert await visual.search(parts, random_picture(1))
    await visual.delete_database(parts)

    assert await visual.list_databases(parts.workspace) == ()
    with pytest.raises(UnknownDatabase):
        await visual.search(parts, random_picture(1))

    await visual.create_database(parts)
    assert await visual.search(parts, random_picture(1)) == ()
    await visual.add_image(parts, random_picture(2), EntityId("pump"), Note())
    assert [match.entity for match in await visual.search(parts, random_picture(1))] == ["pump"]


@pytest.mark.parametrize("name", ["", "a", "Parts", "my parts", "a-b", "x" * 65, "pärts", "parts\n", "٣٤"])
def test_a_bad_database_name_never_reaches_a_back_end(name: str) -> None:
    with pytest.raises(InvalidInput):
        DatabaseName(name)


@pytest.mark.parametrize("name", ["", "Valve", "valve 1", "v-1", "x" * 65, "válvula", "valve\n"])
def test_a_bad_entity_id_never_reaches_a_back_end(name: str) -> None:
    with pytest.raises(InvalidInput):
        EntityId(name)


async def test_ping_returns(visual: VisualSearch) -> None:
    await visual.ping()


async def test_capabilities_are_sound(visual: VisualSearch) -> None:
    assert visual.capabilities.name
    assert 1 <= visual.capabilities.max_results <= 1000
