"""Origins: an image exists as long as one of its origins, whatever is shared, added and deleted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.catalogue import OriginScope, OriginSource
from bot.domain.channels import ChannelKind
from bot.domain.errors import AlreadyAdded
from bot.domain.identifiers import EntityId, Note, WorkspaceId
from bot.domain.jobs import JobKind, NewJob, Unsharing, deletion_key
from bot.domain.pages import PageRequest
from bot.services.images.new_image import NewImage
from tests.fakes.features import random_picture
from tests.fixtures.storages import StoragePlace
from tests.unit.services.origins import BEGINNING, PARTS, TEAM, Harness, harness

__all__ = ["harness"]


async def only(harness: Harness, seed: int = 1) -> set[tuple[str, str, str, str]]:
    """Return the origins of the image of a picture, which must be the only one."""
    found = await harness.origins()
    assert list(found) == [random_picture(seed).digest]
    return found[random_picture(seed).digest]


async def test_every_kind_of_add_adds_an_origin(harness: Harness) -> None:
    await harness.share(1, "F1", "C1", "1.1")
    await harness.share(1, "F2", "C2", "1.2")
    await harness.add(1, "F3", "C1", "1.3")
    await harness.add(1, "F4")
    await harness.add(1)
    await harness.add(1, user="")
    imported = NewImage(random_picture(1), b"jpeg", EntityId("other"), Note(), imported=True)
    assert isinstance((await harness.additions.add_all(PARTS, [imported]))[0], AlreadyAdded)
    assert await only(harness) == {
        (OriginSource.MESSAGE, "F1", "C1", "1.1"),
        (OriginSource.MESSAGE, "F2", "C2", "1.2"),
        (OriginSource.MESSAGE, "F3", "C1", "1.3"),
        (OriginSource.FORM, "F4", "", ""),
        (OriginSource.URL, "", "", ""),
        (OriginSource.COMMAND_LINE, "", "", ""),
        (OriginSource.IMPORT, "", "", ""),
    }


async def test_redelivered_share_adds_no_second_origin(harness: Harness) -> None:
    for _ in range(2):
        await harness.add(1, "F1", "C1", "1.1", user="U1")
        await harness.add(1, "F2", "C1", "1.1", user="U2")
    [record] = (await harness.storage.catalogue.page(PARTS, PageRequest())).items
    assert len(record.origins) == 2


async def test_image_is_deleted_with_its_last_origin(harness: Harness) -> None:
    await harness.add(1, "F1", "C1", "1.1", note="first", user="U1")
    harness.day = 1
    await harness.add(1, "F2", "C2", "1.2", note="second", user="U2", entity="pump")
    assert await harness.removal.remove_message(TEAM, "C1", "1.1") == 0
    [record] = (await harness.storage.catalogue.page(PARTS, PageRequest())).items
    # Note, author and date went with their origin. The image keeps the id that it has.
    assert (record.entity, record.note, record.added_by) == ("valve", "second", "U2")
    assert record.added_at == BEGINNING + timedelta(days=1)
    assert await harness.removal.remove_file(TEAM, "F2") == 1
    assert await harness.origins() == {}


async def test_image_keeps_a_public_id_but_loses_a_private_one_with_its_origin(harness: Harness) -> None:
    for seed, kind in enumerate((ChannelKind.PUBLIC, ChannelKind.PRIVATE)):
        await harness.add(seed, f"F{seed}", "C1", "1.1", entity="first", kind=kind)
        harness.day = 1
        await harness.add(seed, f"G{seed}", "C2", "1.2", entity="second")
        await harness.removal.remove_file(TEAM, f"F{seed}")
    records = (await harness.storage.catalogue.page(PARTS, PageRequest())).items
    seen = {record.digest: record.seen_through(record.origins).entity for record in records}
    assert seen == {random_picture(0).digest: "first", random_picture(1).digest: "second"}


async def test_deleted_channel_removes_only_its_origins(harness: Harness) -> None:
    await harness.add(1, "F1", "C1", "1.1")
    await harness.add(1, "F1", "C2", "1.2")
    await harness.add(2, "F2", "C1", "1.3")
    assert await harness.removal.remove_channel(TEAM, "C1") == 1
    assert await only(harness) == {(OriginSource.MESSAGE, "F1", "C2", "1.2")}


async def test_unsharing_removes_origins_of_messages_that_lost_the_file(harness: Harness) -> None:
    await harness.add(1, "F1", "C1", "1.1")
    await harness.add(1, "F1", "C1", "1.2")
    await harness.add(1, "F1", "C2", "1.3")
    await harness.add(1, "F1")
    left = {("C1", "1.2"), ("C2", "1.3")}
    await harness.removal.remove_unshared(1, TEAM, Unsharing("F1", 2.0, "C1", left))
    assert {origin[2:] for origin in await only(harness)} == {*left, ("", "")}
    await harness.removal.remove_unshared(1, TEAM, Unsharing("F1", 2.0))
    # A file chosen in a form is in no message.
    assert await only(harness) == {(OriginSource.FORM, "F1", "", "")}


async def test_retention_removes_old_origins(harness: Harness) -> None:
    await harness.add(1, "F1", "C1", "1.1", note="old")
    harness.day = 10
    await harness.add(1, "F2", "C1", "1.2", note="new")
    assert await harness.removal.remove_older_than(BEGINNING + timedelta(days=5)) == 0
    [record] = (await harness.storage.catalogue.page(PARTS, PageRequest())).items
    assert [origin.note for origin in record.origins] == ["new"]
    assert await harness.removal.remove_older_than(BEGINNING + timedelta(days=11)) == 1


@pytest.mark.parametrize(
    "deletion",
    [(deletion_key(), "-", "F1"), (deletion_key("C1"), "1.1", "-"), (deletion_key("C1"), "-", "-")],
    ids=["file", "message", "channel"],
)
async def test_share_that_arrives_after_its_deletion_is_not_added(
    harness: Harness, deletion: tuple[str, str, str]
) -> None:
    inbox = harness.storage.inbox
    channel, message, file = deletion
    await inbox.put(NewJob(JobKind.FORGET, TEAM, "", channel, message, (file,), "{}"))
    await inbox.finish((await inbox.claim("worker", 1, 60))[0])
    await harness.share(1, "F1", "C1", "1.1")
    assert await harness.origins() == {}
    assert await inbox.is_deleted(TEAM, "F1", "C1", "1.1")
    await harness.share(1, "F2", "C2", "1.2")
    assert await only(harness) == {(OriginSource.MESSAGE, "F2", "C2", "1.2")}


async def test_share_that_arrives_after_its_unsharing_is_not_added(harness: Harness) -> None:
    inbox = harness.storage.inbox
    await inbox.put(NewJob(JobKind.FORGET, TEAM, "", "unshared:-", "Ev1", ("F1",), "{}"))
    (job,) = await inbox.claim("worker", 1, 60)
    # Slack names no message of C3.
    unsharing = Unsharing("F1", 1700000000.5, messages={("C1", "1700000000.000002")}, channels={"C3"})
    await harness.removal.remove_unshared(job.id, TEAM, unsharing)
    await inbox.finish(job)
    await harness.share(1, "F1", "C1", "1700000000.000001")
    await harness.share(2, "F1", "C2", "1700000000.000001")
    assert await inbox.is_deleted(TEAM, "F1", "C2", "1700000000.000001")
    assert not await inbox.is_deleted(TEAM, "F1")
    assert await harness.origins() == {}
    for seed, (channel, message) in enumerate(
        (("C1", "1700000000.000002"), ("C3", "1700000000.000001"), ("C2", "1700000000.600000"))
    ):
        await harness.share(seed, "F1", channel, message)
    assert len(await harness.origins()) == 3
    assert not await inbox.is_deleted(WorkspaceId("T2"), "F1", "C2", "1700000000.000001")


@pytest.mark.parametrize("turn", range(8))
async def test_concurrent_share_and_deletion_lose_no_origin(
    harness: Harness, storage_place: StoragePlace, turn: int
) -> None:
    other = Harness(await storage_place.open())
    try:
        await harness.add(1, "F1", "C1", "1.1")

        async def later() -> None:
            await asyncio.sleep(turn / 500)
            await other.removal.remove_file(TEAM, "F1")

        await asyncio.gather(harness.add(1, "F2", "C2", "1.2"), later())
        assert await only(harness) == {(OriginSource.MESSAGE, "F2", "C2", "1.2")}
    finally:
        await other.storage.close()


STEPS = st.one_of(
    st.tuples(st.just("share"), st.integers(1, 2), st.sampled_from("AB"), st.sampled_from("CD"), st.sampled_from("12")),
    st.tuples(st.just("add"), st.integers(1, 2), st.sampled_from(["", "U1"])),
    st.tuples(st.just("file"), st.sampled_from("AB")),
    st.tuples(st.just("message"), st.sampled_from("CD"), st.sampled_from("12")),
    st.tuples(st.just("channel"), st.sampled_from("CD")),
    st.tuples(st.just("age"), st.integers(0, 12)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
async def test_image_exists_exactly_while_it_has_an_origin(harness: Harness, steps: list[tuple[object, ...]]) -> None:
    model: dict[tuple[int, tuple[str, str, str, str]], int] = {}
    for info in await harness.databases.all(TEAM):
        await harness.databases.delete(info.key)
    await harness.databases.create(PARTS)
    for day, step in enumerate(steps):
        harness.day = day
        match step:
            case ("share", int(seed), str(file), str(channel), str(message)):
                await harness.add(seed, file, channel, message)
                model.setdefault((seed, ("message", file, channel, message)), day)
            case ("add", int(seed), str(user)):
                await harness.add(seed, user=user)
                model.setdefault((seed, ("url" if user else "command_line", "", "", "")), day)
            case ("file", str(file)):
                await harness.removal.remove_file(TEAM, file)
                model = {key: at for key, at in model.items() if key[1][1] != file}
            case ("message", str(channel), str(message)):
                await harness.removal.remove_message(TEAM, channel, message)
                model = {key: at for key, at in model.items() if key[1][2:] != (channel, message)}
            case ("channel", str(channel)):
                await harness.removal.remove_channel(TEAM, channel)
                model = {key: at for key, at in model.items() if key[1][2] != channel}
            case ("age", int(limit)):
                await harness.removal.remove_older_than(BEGINNING + timedelta(days=limit))
                model = {key: at for key, at in model.items() if at >= limit}
        expected: dict[str, set[tuple[str, str, str, str]]] = {}
        for seed, origin in model:
            expected.setdefault(random_picture(seed).digest, set()).add(origin)
        assert await harness.origins() == expected


@pytest.mark.parametrize(("file", "channel", "message"), [("F1", "", "1.1"), ("", "", "")])
def test_scope_that_selects_too_much_is_refused(file: str, channel: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"scope needs|unique within"):
        OriginScope(TEAM, file=file, channel=channel, message=message)
