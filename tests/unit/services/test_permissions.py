"""Who may delete what, and what the others are told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.catalogue import DatabaseInfo, ImageRecord
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.services.access.permissions import NotAllowed, PermissionService
from tests.fakes.conversations import FakeMemberDirectory

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
NOW = datetime(2026, 1, 2, tzinfo=UTC)
MAKER, ADMIN, BOSS, ADDER, OTHER = "U0MAKER", "U0ADMIN", "U0BOSS", "U0ADDER", "U0OTHER"

permissions = PermissionService(frozenset({BOSS}))


def info(created_by: str = MAKER) -> DatabaseInfo:
    return DatabaseInfo(KEY, 3, NOW, created_by)


def images(*added_by: str) -> list[ImageRecord]:
    return [
        ImageRecord(KEY, DataId(f"id{n}"), EntityId("valve"), Note(), "d", "s", b"", 1, 1, NOW, user)
        for n, user in enumerate(added_by)
    ]


@pytest.mark.parametrize(
    ("user", "may"), [(MAKER, True), (ADMIN, True), (BOSS, True), (ADDER, False), (OTHER, False), ("", False)]
)
async def test_a_database_is_deleted_and_changed_by_its_maker_and_by_admins(user: str, may: bool) -> None:
    people = FakeMemberDirectory(ADMIN)
    assert await permissions.may_delete_database(info(), user, people) is may
    assert await permissions.may_change_settings(info(), user, people) is may


@pytest.mark.parametrize(
    ("user", "may"), [(MAKER, True), (ADMIN, True), (BOSS, True), (ADDER, True), (OTHER, False), ("", False)]
)
async def test_images_are_deleted_by_whoever_added_them_too(user: str, may: bool) -> None:
    assert await permissions.may_delete_images(info(), images(ADDER, ADDER), user, FakeMemberDirectory(ADMIN)) is may


async def test_one_image_of_somebody_else_s_is_enough_to_refuse() -> None:
    assert not await permissions.may_delete_images(info(), images(ADDER, OTHER), ADDER, FakeMemberDirectory())


async def test_of_images_that_nobody_knows_nobody_is_the_adder() -> None:
    assert not await permissions.may_delete_images(info(), [], ADDER, FakeMemberDirectory())


async def test_what_the_command_line_made_has_no_maker_and_no_adder() -> None:
    people = FakeMemberDirectory("")
    assert not await permissions.may_delete_database(info(created_by=""), "", people)
    assert not await permissions.may_delete_images(info(created_by=""), images(""), "", people)


async def test_slack_is_asked_only_when_that_decides() -> None:
    people = FakeMemberDirectory()
    for user in (MAKER, BOSS):
        await permissions.may_delete_database(info(), user, people)
    await permissions.may_delete_images(info(), images(ADDER), ADDER, people)
    assert people.asked == []


async def test_the_sentence_says_who_may() -> None:
    people = FakeMemberDirectory(ADMIN)
    with pytest.raises(NotAllowed, match=r"Only admins and whoever created “parts” can delete it\. Ask one of them"):
        await permissions.check_delete_database(info(), OTHER, people)
    with pytest.raises(
        NotAllowed, match=r"Only admins and whoever created “parts” can change its settings\. Ask one of them"
    ):
        await permissions.check_change_settings(info(), OTHER, people)
    with pytest.raises(NotAllowed, match="Only whoever added these images, whoever created “parts” and admins can"):
        await permissions.check_delete_images(info(), images(ADDER, OTHER), OTHER, people)


async def test_allowed_people_get_no_error() -> None:
    people = FakeMemberDirectory(ADMIN)
    await permissions.check_delete_database(info(), MAKER, people)
    await permissions.check_change_settings(info(), ADMIN, people)
    await permissions.check_delete_images(info(), images(ADDER), ADDER, people)


async def test_a_slack_that_does_not_answer_permits_nothing() -> None:
    class Silent(FakeMemberDirectory):
        async def is_admin(self, user: str) -> bool:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await permissions.check_delete_database(info(), OTHER, Silent())


some_user = st.sampled_from([MAKER, ADMIN, BOSS, ADDER, OTHER, ""])


@given(some_user, some_user, st.lists(some_user, max_size=4), st.sets(some_user), st.sets(some_user))
async def test_whatever_the_mix_nobody_else_may(
    user: str, maker: str, adders: list[str], admins: set[str], settings: set[str]
) -> None:
    service, people = PermissionService(frozenset(settings)), FakeMemberDirectory(*admins)
    leads = bool(user) and (user == maker or user in admins or user in settings)
    assert await service.may_delete_database(info(maker), user, people) is leads
    own = bool(user) and bool(adders) and set(adders) == {user}
    assert await service.may_delete_images(info(maker), images(*adders), user, people) is (leads or own)
