"""HostedSearch against a strict fake service: the calls that it makes, and how it uses the responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from bot.domain.errors import BackendCredentials, BackendLost, BackendRefused, DatabaseExists
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.matches import Caveat, Edit, Verdict
from bot.domain.pages import PageRequest
from bot.domain.pictures import Picture
from tests.fakes.hosted import HostedService
from tests.fakes.hosted import misbehaviours as bad
from tests.fixtures.hosted_back_end import HostedBackEnd, account_of, hosted_back_end
from tests.fixtures.scenes import picture, scene

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
OTHER_PARTS = DatabaseKey(WorkspaceId("T2"), DatabaseName("parts"))
VALVE, PUMP = EntityId("valve"), EntityId("pump")


def picture_of(seed: int) -> Picture:
    return picture(scene(seed))


@pytest.fixture
async def service() -> AsyncIterator[HostedService]:
    async with HostedService() as service:
        yield service


@pytest.fixture
async def hosted(service: HostedService, tmp_path: Path) -> AsyncIterator[HostedBackEnd]:
    async with hosted_back_end(tmp_path, account_of(service)) as hosted:
        await hosted.visual.create_database(PARTS)
        yield hosted


@pytest.fixture
async def shared(service: HostedService, tmp_path: Path) -> AsyncIterator[HostedBackEnd]:
    """A back end with all databases in one upstream database."""
    async with hosted_back_end(tmp_path, account_of(service), shared="everybodys") as hosted:
        await hosted.visual.create_database(PARTS)
        await hosted.visual.create_database(OTHER_PARTS)
        yield hosted


async def test_each_image_has_its_own_upstream_entity(hosted: HostedBackEnd, service: HostedService) -> None:
    ids = [await hosted.visual.add_image(PARTS, picture_of(seed), VALVE, Note(f"number {seed}")) for seed in (1, 2)]
    stored = service.images_of(service.names[0])
    assert len({image.entity for image in stored}) == 2
    assert [image.extra for image in stored] == ["number 1", "number 2"]
    matches = await hosted.visual.search(PARTS, picture_of(2))
    assert {(match.data_id, match.entity) for match in matches} == {(ids[0], "valve"), (ids[1], "valve")}
    assert matches[0].data_id == ids[1]
    assert await hosted.visual.delete_images(PARTS, VALVE, ids[0]) == 1
    await hosted.upkeep.run_once()
    assert [image.entity for image in service.images_of(service.names[0])] == [stored[1].entity]


async def test_service_fetches_a_jpeg_within_its_limits(hosted: HostedBackEnd, service: HostedService) -> None:
    await hosted.visual.add_image(PARTS, picture(scene(1, (40, 30))), VALVE, Note())
    fetched = service.fetched[-1]
    assert fetched.url.isascii()
    with Image.open(BytesIO(fetched.content)) as image:
        assert image.format == "JPEG"
        assert min(image.size) >= 129


async def test_note_keeps_characters_that_the_service_rejects(hosted: HostedBackEnd, service: HostedService) -> None:
    note = Note("Ventil Ø 12 👍\nsiehe “Kästchen”")
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, note)
    assert [match.note for match in await hosted.visual.search(PARTS, picture_of(1))] == [note]
    [extra] = [image.extra for image in service.images_of(service.names[0])]
    assert "👍" not in extra
    assert extra.startswith("Ventil Ø 12")


async def test_matches_are_sorted_and_unique_whatever_the_service_returns(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    for seed in range(6):
        await hosted.visual.add_image(PARTS, picture_of(seed), EntityId(f"part_{seed}"), Note())
    service.always("search", bad.doubled_matches())
    matches = await hosted.visual.search(PARTS, picture_of(3), 6)
    assert len({match.data_id for match in matches}) == len(matches) == 6
    assert [match.score for match in matches] == sorted((match.score for match in matches), reverse=True)
    assert matches[0].entity == "part_3"
    assert not matches.caveats


async def test_score_is_the_services_and_verdict_is_from_fingerprints(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    for seed in range(3):
        await hosted.visual.add_image(PARTS, picture_of(seed), EntityId(f"part_{seed}"), Note())
    [same, *others] = await hosted.visual.search(PARTS, picture_of(1))
    assert (same.verdict, same.score) == (Verdict.SAME, 10)
    assert not any(match.verdict.is_copy for match in others)
    mirrored = picture(scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    found = {match.entity: match for match in await hosted.visual.search(PARTS, mirrored)}
    assert (found[EntityId("part_1")].verdict, found[EntityId("part_1")].edits) == (Verdict.EDITED, (Edit.MIRRORED,))


async def test_images_that_the_ledger_does_not_know_are_not_shown(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    [stored] = service.images_of(service.names[0])
    prefix = stored.entity[:25]
    service.always("search", bad.strange_matches("somebodys", f"{prefix}{'0' * 32}", prefix))
    assert [match.entity for match in await hosted.visual.search(PARTS, picture_of(1))] == ["valve"]


async def test_same_name_in_two_workspaces_gives_two_upstream_databases(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.create_database(OTHER_PARTS)
    assert len(service.names) == 2
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert await hosted.visual.search(OTHER_PARTS, picture_of(1)) == ()


async def test_existing_name_is_refused_without_a_call(hosted: HostedBackEnd, service: HostedService) -> None:
    with pytest.raises(DatabaseExists):
        await hosted.visual.create_database(PARTS)
    assert len(service.calls_of("create")) == 1


async def test_create_in_doubt_is_checked_in_the_listing(hosted: HostedBackEnd, service: HostedService) -> None:
    service.next("create", bad.done_then(bad.html(502)))
    await hosted.visual.create_database(OTHER_PARTS)
    assert len(service.names) == 2
    assert len(service.calls_of("create")) == 2


async def test_databases_in_a_shared_upstream_database_are_separate(
    shared: HostedBackEnd, service: HostedService
) -> None:
    assert service.names == ["everybodys"]
    await shared.visual.add_image(PARTS, picture_of(1), VALVE, Note("ours"))
    await shared.visual.add_image(OTHER_PARTS, picture_of(1), PUMP, Note("theirs"))
    assert [match.note for match in await shared.visual.search(PARTS, picture_of(1))] == ["ours"]
    assert [match.note for match in await shared.visual.search(OTHER_PARTS, picture_of(1))] == ["theirs"]
    assert {call.form["Limit"] for call in service.calls_of("search")} == {"200"}


async def test_crowded_out_matches_give_a_caveat(shared: HostedBackEnd, service: HostedService) -> None:
    for seed in range(3):
        await shared.visual.add_image(PARTS, picture_of(seed), EntityId(f"part_{seed}"), Note())
    assert not (await shared.visual.search(PARTS, picture_of(0), 3)).caveats
    service.fill("everybodys", 400, prefix="busy_")
    service.always("search", bad.strange_matches(*(f"busy_{number}" for number in range(199))))
    crowded = await shared.visual.search(PARTS, picture_of(0), 3)
    assert crowded.caveats == {Caveat.CROWDED_OUT}


async def test_deleting_a_database_in_a_shared_one_deletes_only_its_images(
    shared: HostedBackEnd, service: HostedService
) -> None:
    await shared.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    await shared.visual.add_image(OTHER_PARTS, picture_of(1), PUMP, Note("theirs"))
    await shared.visual.delete_database(PARTS)
    await shared.upkeep.run_once()
    assert service.names == ["everybodys"]
    assert [image.extra for image in service.images_of("everybodys")] == ["theirs"]
    await shared.visual.create_database(PARTS)
    assert await shared.visual.search(PARTS, picture_of(1)) == ()


async def test_deleting_a_database_deletes_its_dedicated_upstream_database(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    await hosted.visual.delete_database(PARTS)
    assert await hosted.visual.list_databases(PARTS.workspace) == ()
    await hosted.upkeep.run_once()
    assert service.names == []
    assert not service.calls_of("delete")


async def test_deletion_during_an_outage_reaches_the_service_later(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    await hosted.visual.add_image(PARTS, picture_of(2), PUMP, Note())
    await service.down()
    assert await hosted.visual.delete_images(PARTS, VALVE) == 1
    assert await hosted.upkeep.run_once() == 0
    assert [image.entity for image in (await hosted.visual.list_images(PARTS, PageRequest())).items] == ["pump"]
    await service.up()
    assert [match.entity for match in await hosted.visual.search(PARTS, picture_of(1))] == ["pump"]
    assert await hosted.upkeep.run_once() == 1
    assert len(service.images_of(service.names[0])) == 1


async def test_refused_deletion_does_not_block_others(hosted: HostedBackEnd, service: HostedService) -> None:
    for seed in range(2):
        await hosted.visual.add_image(PARTS, picture_of(seed), EntityId(f"part_{seed}"), Note())
        await hosted.visual.delete_images(PARTS, EntityId(f"part_{seed}"))
    service.next("delete", bad.upstream("ClientError.IllegalArgument", 400, "not today"))
    assert await hosted.upkeep.run_once() == 1
    assert len(service.images_of(service.names[0])) == 1


async def test_fingerprints_find_copies_while_the_service_is_down(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    for seed in range(4):
        await hosted.visual.add_image(PARTS, picture_of(seed), EntityId(f"part_{seed}"), Note())
    await service.down()
    smaller = picture(scene(2).resize((300, 225)))
    [copy] = found = await hosted.visual.search(PARTS, smaller)
    assert (copy.entity, copy.verdict) == ("part_2", Verdict.EDITED)
    assert copy.score >= 9
    assert found.caveats == {Caveat.SAME_IMAGES_ONLY}
    [same] = await hosted.visual.search(PARTS, picture_of(3))
    assert (same.entity, same.verdict, same.score) == ("part_3", Verdict.SAME, 10)
    strange = await hosted.visual.search(PARTS, picture_of(99))
    assert not strange
    assert strange.caveats == {Caveat.SAME_IMAGES_ONLY}


@pytest.mark.parametrize(
    "trouble", [bad.gateway(-2), bad.throttled(), bad.html(502), bad.empty_body(), bad.without_data(), bad.truncated()]
)
async def test_fingerprints_find_copies_for_every_transient_error(
    hosted: HostedBackEnd, service: HostedService, trouble: bad.Misbehaviour
) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    service.always("search", trouble)
    found = await hosted.visual.search(PARTS, picture_of(1))
    assert [match.entity for match in found] == ["valve"]
    assert found.caveats == {Caveat.SAME_IMAGES_ONLY}


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (bad.gateway(-1006), BackendCredentials),
        (bad.upstream("ClientError.IllegalArgument", 400, "database does not exist"), BackendLost),
        (bad.upstream("ClientError.IllegalArgument", 400, "Limit is wrong"), BackendRefused),
    ],
)
async def test_permanent_errors_are_raised(
    hosted: HostedBackEnd, service: HostedService, trouble: bad.Misbehaviour, error: type[BackendRefused]
) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    service.always("search", trouble)
    with pytest.raises(error):
        await hosted.visual.search(PARTS, picture_of(1))


async def test_copy_of_an_unlisted_image_is_found_with_the_settling_caveat(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    assert not (await hosted.visual.search(PARTS, picture_of(1))).caveats
    service.hide_new_images(seconds=60)
    await hosted.visual.add_image(PARTS, picture_of(2), PUMP, Note())
    found = await hosted.visual.search(PARTS, picture_of(2))
    assert found[0].entity == "pump"
    assert found.caveats == {Caveat.SETTLING}
    assert [match.entity for match in await hosted.visual.search(PARTS, picture_of(3))] == ["valve"]


async def test_concurrent_creates_share_one_upstream_database(service: HostedService, tmp_path: Path) -> None:
    async with hosted_back_end(tmp_path, account_of(service), shared="everybodys") as hosted:
        await asyncio.gather(hosted.visual.create_database(PARTS), hosted.visual.create_database(OTHER_PARTS))
    async with hosted_back_end(tmp_path / "other", account_of(service), shared="everybodys") as elsewhere:
        service.next("databases", bad.altered(lambda answer: answer["showapi_res_body"]["Data"]["DbList"].clear()))
        await elsewhere.visual.create_database(PARTS)
    assert service.names == ["everybodys"]


async def test_search_of_an_empty_database_makes_no_call(hosted: HostedBackEnd, service: HostedService) -> None:
    assert await hosted.visual.search(PARTS, picture_of(1)) == ()
    assert not service.calls_of("search")


async def test_ping_after_a_recent_call_makes_no_call(
    hosted: HostedBackEnd, service: HostedService, tmp_path: Path
) -> None:
    for _ in range(3):
        await hosted.visual.ping()
    assert not service.calls_of("databases")
    async with hosted_back_end(tmp_path / "other", account_of(service)) as silent:
        for _ in range(3):
            await silent.visual.ping()
    assert len(service.calls_of("databases")) == 1


async def test_unreadable_matches_fall_back_to_fingerprints(hosted: HostedBackEnd, service: HostedService) -> None:
    await hosted.visual.add_image(PARTS, picture_of(1), VALVE, Note())
    service.next("search", bad.scores_not_numbers())
    found = await hosted.visual.search(PARTS, picture_of(1))
    assert [match.entity for match in found] == ["valve"]
    assert found.caveats == {Caveat.SAME_IMAGES_ONLY}
