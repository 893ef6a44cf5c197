"""Creating, listing and deleting databases, and keeping them separate."""

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
    "rename_images": lambda visual, key: visual.rename_images(key, [DataId("1")], VALVE),
    "search": lambda visual, key: visual.search(key, random_picture(1)),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_every_operation_on_a_missing_database_raises_unknown_database(visual: VisualSearch, name: str) -> None:
    with pytest.raises(UnknownDatabase, match="absent"):
        await OPERATIONS[name](visual, ABSENT)
    assert await visual.list_databases(ABSENT.workspace) == ()


async def test_existing_name_is_refused(visual: VisualSearch, parts: DatabaseKey) -> None:
    await visual.add_image(parts, random_picture(1), VALVE, Note())
    with pytest.raises(DatabaseExists, match="parts"):
        await visual.create_database(parts)
    assert len(await visual.search(parts, random_picture(1))) == 1


async def test_databases_are_listed_by_name(visual: VisualSearch) -> None:
    workspace = WorkspaceId("T1")
    for name in ("zebra", "_under", "apple", "9lives"):
        await visual.create_database(DatabaseKey(workspace, DatabaseName(name)))
    assert await visual.list_databases(workspace) == ("9lives", "_under", "apple", "zebra")


async def test_workspace_without_databases_lists_none(visual: VisualSearch, parts: DatabaseKey) -> None:
    assert await visual.list_databases(WorkspaceId("T2")) == ()


async def test_workspaces_may_use_the_same_name(visual: VisualSearch, parts: DatabaseKey) -> None:
    theirs = DatabaseKey(WorkspaceId("T2"), parts.name)
    await visual.create_database(theirs)
    await visual.add_image(parts, random_picture(1), VALVE, Note("ours"))

    assert await visual.search(theirs, random_picture(1)) == ()
    assert (await visual.list_images(theirs, PageRequest())).total == 0
    assert await visual.delete_images(theirs, VALVE) == 0
    await visual.delete_database(theirs)
    assert [match.note for match in await visual.search(parts, random_picture(1))] == ["ours"]


async def test_deleted_database_can_be_created_again_empty(visual: VisualSearch, parts: DatabaseKey) -> None:
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
def test_invalid_database_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        DatabaseName(name)


@pytest.mark.parametrize("name", ["", " ", "\u200b", "x" * 65, "valve\n1", "a\u202eb"])
def test_invalid_entity_id_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        EntityId(name)


async def test_ping_returns(visual: VisualSearch) -> None:
    await visual.ping()


async def test_capabilities_are_valid(visual: VisualSearch) -> None:
    assert visual.capabilities.name
    assert 1 <= visual.capabilities.max_results <= 1000
