"""The hosted back end against a service that is strict: what it is given, what is made of its answers."""

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
THEIRS = DatabaseKey(WorkspaceId("T2"), DatabaseName("parts"))
VALVE, PUMP = EntityId("valve"), EntityId("pump")


def seen(seed: int) -> Picture:
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
    """All databases in one of the service's."""
    async with hosted_back_end(tmp_path, account_of(service), shared="everybodys") as hosted:
        await hosted.visual.create_database(PARTS)
        await hosted.visual.create_database(THEIRS)
        yield hosted


async def test_each_picture_has_a_name_of_its_own_there_and_its_entity_here(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    ids = [await hosted.visual.add_image(PARTS, seen(seed), VALVE, Note(f"number {seed}")) for seed in (1, 2)]
    stored = service.images_of(service.names[0])
    assert len({image.entity for image in stored}) == 2
    assert [image.extra for image in stored] == ["number 1", "number 2"]
    matches = await hosted.visual.search(PARTS, seen(2))
    assert {(match.data_id, match.entity) for match in matches} == {(ids[0], "valve"), (ids[1], "valve")}
    assert matches[0].data_id == ids[1]
    assert await hosted.visual.delete_images(PARTS, VALVE, ids[0]) == 1
    await hosted.upkeep.run_once()
    assert [image.entity for image in service.images_of(service.names[0])] == [stored[1].entity]


async def test_the_service_fetches_a_jpeg_inside_its_limits_from_us(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.add_image(PARTS, picture(scene(1, (40, 30))), VALVE, Note())
    fetched = service.fetched[-1]
    assert fetched.url.isascii()
    with Image.open(BytesIO(fetched.content)) as image:
        assert image.format == "JPEG"
        assert min(image.size) >= 129


async def test_a_note_keeps_what_the_service_does_not_take(hosted: HostedBackEnd, service: HostedService) -> None:
    note = Note("Ventil Ø 12 👍\nsiehe “Kästchen”")
    await hosted.visual.add_image(PARTS, seen(1), VALVE, note)
    assert [match.note for match in await hosted.visual.search(PARTS, seen(1))] == [note]
    [extra] = [image.extra for image in service.images_of(service.names[0])]
    assert "👍" not in extra
    assert extra.startswith("Ventil Ø 12")


async def test_matches_come_best_first_and_once_whatever_the_service_does(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    for seed in range(6):
        await hosted.visual.add_image(PARTS, seen(seed), EntityId(f"part_{seed}"), Note())
    service.always("search", bad.doubled_matches())
    matches = await hosted.visual.search(PARTS, seen(3), 6)
    assert len({match.data_id for match in matches}) == len(matches) == 6
    assert [match.score for match in matches] == sorted((match.score for match in matches), reverse=True)
    assert matches[0].entity == "part_3"
    assert not matches.caveats


async def test_the_score_is_the_services_and_the_verdict_ours(hosted: HostedBackEnd, service: HostedService) -> None:
    for seed in range(3):
        await hosted.visual.add_image(PARTS, seen(seed), EntityId(f"part_{seed}"), Note())
    [same, *others] = await hosted.visual.search(PARTS, seen(1))
    assert (same.verdict, same.score) == (Verdict.SAME, 10)
    assert {match.verdict for match in others} == {Verdict.SIMILAR}
    mirrored = picture(scene(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    found = {match.entity: match for match in await hosted.visual.search(PARTS, mirrored)}
    assert (found[EntityId("part_1")].verdict, found[EntityId("part_1")].edits) == (Verdict.EDITED, (Edit.MIRRORED,))


async def test_what_the_ledger_does_not_know_is_never_shown(hosted: HostedBackEnd, service: HostedService) -> None:
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    [stored] = service.images_of(service.names[0])
    prefix = stored.entity[:25]
    service.always("search", bad.strange_matches("somebodys", f"{prefix}{'0' * 32}", prefix))
    assert [match.entity for match in await hosted.visual.search(PARTS, seen(1))] == ["valve"]


async def test_teams_with_one_name_have_two_databases_there(hosted: HostedBackEnd, service: HostedService) -> None:
    await hosted.visual.create_database(THEIRS)
    assert len(service.names) == 2
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    assert await hosted.visual.search(THEIRS, seen(1)) == ()


async def test_a_name_is_taken_once_and_asks_the_service_nothing(hosted: HostedBackEnd, service: HostedService) -> None:
    with pytest.raises(DatabaseExists):
        await hosted.visual.create_database(PARTS)
    assert len(service.calls_of("create")) == 1


async def test_a_create_in_doubt_is_looked_for(hosted: HostedBackEnd, service: HostedService) -> None:
    service.next("create", bad.done_then(bad.html(502)))
    await hosted.visual.create_database(THEIRS)
    assert len(service.names) == 2
    assert len(service.calls_of("create")) == 2


async def test_all_share_one_database_and_never_meet(shared: HostedBackEnd, service: HostedService) -> None:
    assert service.names == ["everybodys"]
    await shared.visual.add_image(PARTS, seen(1), VALVE, Note("ours"))
    await shared.visual.add_image(THEIRS, seen(1), PUMP, Note("theirs"))
    assert [match.note for match in await shared.visual.search(PARTS, seen(1))] == ["ours"]
    assert [match.note for match in await shared.visual.search(THEIRS, seen(1))] == ["theirs"]
    assert {call.form["Limit"] for call in service.calls_of("search")} == {"200"}


async def test_a_busy_team_crowds_out_another_and_the_answer_says_so(
    shared: HostedBackEnd, service: HostedService
) -> None:
    for seed in range(3):
        await shared.visual.add_image(PARTS, seen(seed), EntityId(f"part_{seed}"), Note())
    assert not (await shared.visual.search(PARTS, seen(0), 3)).caveats
    service.fill("everybodys", 400, prefix="busy_")
    service.always("search", bad.strange_matches(*(f"busy_{number}" for number in range(199))))
    crowded = await shared.visual.search(PARTS, seen(0), 3)
    assert crowded.caveats == {Caveat.CROWDED_OUT}


async def test_deleting_one_of_those_that_share_takes_its_images_alone(
    shared: HostedBackEnd, service: HostedService
) -> None:
    await shared.visual.add_image(PARTS, seen(1), VALVE, Note())
    await shared.visual.add_image(THEIRS, seen(1), PUMP, Note("theirs"))
    await shared.visual.delete_database(PARTS)
    await shared.upkeep.run_once()
    assert service.names == ["everybodys"]
    assert [image.extra for image in service.images_of("everybodys")] == ["theirs"]
    await shared.visual.create_database(PARTS)
    assert await shared.visual.search(PARTS, seen(1)) == ()


async def test_a_database_of_its_own_goes_as_a_whole(hosted: HostedBackEnd, service: HostedService) -> None:
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    await hosted.visual.delete_database(PARTS)
    assert await hosted.visual.list_databases(PARTS.workspace) == ()
    await hosted.upkeep.run_once()
    assert service.names == []
    assert not service.calls_of("delete")


async def test_a_deletion_holds_while_the_service_is_down_and_reaches_it_later(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    await hosted.visual.add_image(PARTS, seen(2), PUMP, Note())
    await service.down()
    assert await hosted.visual.delete_images(PARTS, VALVE) == 1
    assert await hosted.upkeep.run_once() == 0
    assert [image.entity for image in (await hosted.visual.list_images(PARTS, PageRequest())).items] == ["pump"]
    await service.up()
    assert [match.entity for match in await hosted.visual.search(PARTS, seen(1))] == ["pump"]
    assert await hosted.upkeep.run_once() == 1
    assert len(service.images_of(service.names[0])) == 1


async def test_a_refused_deletion_holds_up_no_other(hosted: HostedBackEnd, service: HostedService) -> None:
    for seed in range(2):
        await hosted.visual.add_image(PARTS, seen(seed), EntityId(f"part_{seed}"), Note())
        await hosted.visual.delete_images(PARTS, EntityId(f"part_{seed}"))
    service.next("delete", bad.upstream("ClientError.IllegalArgument", 400, "not today"))
    assert await hosted.upkeep.run_once() == 1
    assert len(service.images_of(service.names[0])) == 1


async def test_while_the_service_is_down_copies_are_known_by_their_fingerprints(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    for seed in range(4):
        await hosted.visual.add_image(PARTS, seen(seed), EntityId(f"part_{seed}"), Note())
    await service.down()
    smaller = picture(scene(2).resize((300, 225)))
    [copy] = found = await hosted.visual.search(PARTS, smaller)
    assert (copy.entity, copy.verdict) == ("part_2", Verdict.EDITED)
    assert copy.score >= 9
    assert found.caveats == {Caveat.SAME_IMAGES_ONLY}
    [same] = await hosted.visual.search(PARTS, seen(3))
    assert (same.entity, same.verdict, same.score) == ("part_3", Verdict.SAME, 10)
    strange = await hosted.visual.search(PARTS, seen(99))
    assert not strange
    assert strange.caveats == {Caveat.SAME_IMAGES_ONLY}


@pytest.mark.parametrize(
    "trouble", [bad.gateway(-2), bad.throttled(), bad.html(502), bad.empty_body(), bad.without_data(), bad.truncated()]
)
async def test_whatever_keeps_it_from_answering_copies_are_still_known(
    hosted: HostedBackEnd, service: HostedService, trouble: bad.Misbehaviour
) -> None:
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    service.always("search", trouble)
    found = await hosted.visual.search(PARTS, seen(1))
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
async def test_what_somebody_has_to_mend_is_told(
    hosted: HostedBackEnd, service: HostedService, trouble: bad.Misbehaviour, error: type[BackendRefused]
) -> None:
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    service.always("search", trouble)
    with pytest.raises(error):
        await hosted.visual.search(PARTS, seen(1))


async def test_a_copy_of_what_does_not_show_yet_is_known_and_the_answer_is_not_to_be_kept(
    hosted: HostedBackEnd, service: HostedService
) -> None:
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    assert not (await hosted.visual.search(PARTS, seen(1))).caveats
    service.hide_new_images(seconds=60)
    await hosted.visual.add_image(PARTS, seen(2), PUMP, Note())
    found = await hosted.visual.search(PARTS, seen(2))
    assert found[0].entity == "pump"
    assert found.caveats == {Caveat.SETTLING}
    assert [match.entity for match in await hosted.visual.search(PARTS, seen(3))] == ["valve"]


async def test_two_that_make_the_shared_database_at_once_both_have_theirs(
    service: HostedService, tmp_path: Path
) -> None:
    async with hosted_back_end(tmp_path, account_of(service), shared="everybodys") as hosted:
        await asyncio.gather(hosted.visual.create_database(PARTS), hosted.visual.create_database(THEIRS))
    async with hosted_back_end(tmp_path / "other", account_of(service), shared="everybodys") as elsewhere:
        service.next("databases", bad.altered(lambda answer: answer["showapi_res_body"]["Data"]["DbList"].clear()))
        await elsewhere.visual.create_database(PARTS)
    assert service.names == ["everybodys"]


async def test_nothing_is_asked_of_an_empty_database(hosted: HostedBackEnd, service: HostedService) -> None:
    assert await hosted.visual.search(PARTS, seen(1)) == ()
    assert not service.calls_of("search")


async def test_a_service_that_was_heard_lately_is_not_asked_whether_it_is_well(
    hosted: HostedBackEnd, service: HostedService, tmp_path: Path
) -> None:
    for _ in range(3):
        await hosted.visual.ping()
    assert not service.calls_of("databases")
    async with hosted_back_end(tmp_path / "other", account_of(service)) as silent:
        for _ in range(3):
            await silent.visual.ping()
    assert len(service.calls_of("databases")) == 1


async def test_matches_of_which_none_can_be_read_are_no_answer(hosted: HostedBackEnd, service: HostedService) -> None:
    await hosted.visual.add_image(PARTS, seen(1), VALVE, Note())
    service.next("search", bad.scores_not_numbers())
    found = await hosted.visual.search(PARTS, seen(1))
    assert [match.entity for match in found] == ["valve"]
    assert found.caveats == {Caveat.SAME_IMAGES_ONLY}
