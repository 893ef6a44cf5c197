"""Who may delete and change what, and the errors for others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.services.access.permissions import NotAllowed, PermissionService
from tests.fakes.conversations import FakeMemberDirectory
from tests.fixtures.records import image_record

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
CREATOR, ADMIN, BOSS, ADDER, OTHER = "U0MAKER", "U0ADMIN", "U0BOSS", "U0ADDER", "U0OTHER"

permissions = PermissionService(frozenset({BOSS}))


def info(created_by: str = CREATOR) -> DatabaseInfo:
    return DatabaseInfo(KEY, 3, NOW, created_by)


def images(*added_by: str) -> list[ImageRecord]:
    return [
        image_record(
            database=KEY,
            data_id=DataId(f"id{n}"),
            added_at=NOW,
            added_by=user,
        )
        for n, user in enumerate(added_by)
    ]


@pytest.mark.parametrize(
    ("user", "may"), [(CREATOR, True), (ADMIN, True), (BOSS, True), (ADDER, False), (OTHER, False), ("", False)]
)
async def test_creator_and_admins_may_delete_and_change_a_database(user: str, may: bool) -> None:
    members = FakeMemberDirectory(ADMIN)
    assert await permissions.may_delete_database(info(), user, members) is may
    assert await permissions.may_change_settings(info(), user, members) is may


@pytest.mark.parametrize(
    ("user", "may"), [(CREATOR, True), (ADMIN, True), (BOSS, True), (ADDER, True), (OTHER, False), ("", False)]
)
async def test_user_who_added_images_may_delete_them(user: str, may: bool) -> None:
    assert await permissions.may_delete_images(info(), images(ADDER, ADDER), user, FakeMemberDirectory(ADMIN)) is may


async def test_one_image_of_another_user_is_refused() -> None:
    assert not await permissions.may_delete_images(info(), images(ADDER, OTHER), ADDER, FakeMemberDirectory())


async def test_nobody_added_an_empty_set_of_images() -> None:
    assert not await permissions.may_delete_images(info(), [], ADDER, FakeMemberDirectory())


async def test_empty_user_matches_no_command_line_creator() -> None:
    members = FakeMemberDirectory("")
    assert not await permissions.may_delete_database(info(created_by=""), "", members)
    assert not await permissions.may_delete_images(info(created_by=""), images(""), "", members)


async def test_slack_is_called_only_if_needed() -> None:
    members = FakeMemberDirectory()
    for user in (CREATOR, BOSS):
        await permissions.may_delete_database(info(), user, members)
    await permissions.may_delete_images(info(), images(ADDER), ADDER, members)
    assert members.asked == []


async def test_error_says_who_may() -> None:
    members = FakeMemberDirectory(ADMIN)
    with pytest.raises(NotAllowed, match=r"Only admins and whoever created “parts” can delete it\. Ask one of them"):
        await permissions.check_delete_database(info(), OTHER, members)
    with pytest.raises(
        NotAllowed, match=r"Only admins and whoever created “parts” can change its settings\. Ask one of them"
    ):
        await permissions.check_change_settings(info(), OTHER, members)
    with pytest.raises(NotAllowed, match="Only whoever added these images, whoever created “parts” and admins can"):
        await permissions.check_delete_images(info(), images(ADDER, OTHER), OTHER, members)


async def test_allowed_users_get_no_error() -> None:
    members = FakeMemberDirectory(ADMIN)
    await permissions.check_delete_database(info(), CREATOR, members)
    await permissions.check_change_settings(info(), ADMIN, members)
    await permissions.check_delete_images(info(), images(ADDER), ADDER, members)


async def test_failing_directory_denies_permission() -> None:
    class Silent(FakeMemberDirectory):
        async def is_admin(self, user: str) -> bool:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await permissions.check_delete_database(info(), OTHER, Silent())


some_user = st.sampled_from([CREATOR, ADMIN, BOSS, ADDER, OTHER, ""])


@given(some_user, some_user, st.lists(some_user, max_size=4), st.sets(some_user), st.sets(some_user))
async def test_nobody_else_may_delete_or_change(
    user: str, maker: str, adders: list[str], admins: set[str], settings: set[str]
) -> None:
    service, members = PermissionService(frozenset(settings)), FakeMemberDirectory(*admins)
    leads = bool(user) and (user == maker or user in admins or user in settings)
    assert await service.may_delete_database(info(maker), user, members) is leads
    own = bool(user) and bool(adders) and set(adders) == {user}
    assert await service.may_delete_images(info(maker), images(*adders), user, members) is (leads or own)
