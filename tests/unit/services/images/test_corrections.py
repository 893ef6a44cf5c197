"""Spellings of ids when pictures are added, and corrections of ids and notes in catalogue and back end together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.domain.catalogue import ImageRecord, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.errors import BackendDown
from bot.domain.identifiers import LOCAL_WORKSPACE, DatabaseKey, DatabaseName, EntityId, Note
from bot.domain.pages import PageRequest
from bot.services.images.addition import AddService
from bot.services.images.corrections import CorrectionService
from bot.services.images.deletion import DeleteService
from bot.services.images.listing import ListingService
from bot.services.images.new_image import NewImage
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, random_picture

PARTS = DatabaseKey(LOCAL_WORKSPACE, DatabaseName("parts"))
VALVE = EntityId("VLV-0042/A")


@pytest.fixture
async def visual(storage: SqlStorage) -> EmbeddedSearch:
    await storage.catalogue.create_database(PARTS, "")
    engine = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=2**20)
    await engine.create_database(PARTS)
    return engine


def image(seed: int, entity: str, name: str = "", *, automatic: bool = False) -> NewImage:
    return NewImage(
        random_picture(seed), b"jpeg", EntityId(entity), Note(), source_name=name, named_automatically=automatic
    )


async def ids(storage: SqlStorage, visual: EmbeddedSearch) -> list[str]:
    """Return the ids of both sides, oldest first, which must agree."""
    page = await storage.catalogue.page(PARTS, PageRequest(limit=100))
    rows = await visual.list_images(PARTS, PageRequest(limit=100))
    recorded = {record.data_id: record.entity for record in page.items}
    assert {row.data_id: row.entity for row in rows.items} == recorded
    return sorted(recorded.values())


async def test_first_spelling_stays(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    adding = AddService(visual, storage)
    await adding.add_all(PARTS, [image(1, "VLV-0042/A"), image(2, "vlv-0042/a"), image(3, "x")])
    added = await adding.add(PARTS, random_picture(4), b"jpeg", EntityId("Vlv-0042/a"), Note())
    assert added.entity == VALVE
    assert await ids(storage, visual) == [VALVE] * 3 + ["x"]


async def test_picture_of_a_known_file_name_goes_to_the_id_of_an_earlier_version(
    storage: SqlStorage, visual: EmbeddedSearch
) -> None:
    adding = AddService(visual, storage)
    await adding.add_all(PARTS, [image(1, "ball_valve", "Ball valve.png"), image(2, "pump_7", "7.png")])
    more = [image(3, "Ball valve", "ball valve.JPG", automatic=True), image(4, "Pump 7", "Pump 7.png", automatic=True)]
    assert [outcome.entity for outcome in await adding.add_all(PARTS, more)] == ["ball_valve", "Pump 7"]


async def test_merged_images_are_one_entity_on_both_sides(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    adding, corrections = AddService(visual, storage), CorrectionService(visual, storage)
    await adding.add_all(PARTS, [image(1, "VLV-0042/A"), image(2, "IMG_1", automatic=True)])
    records = await storage.catalogue.of_entity(PARTS, EntityId("img_1"))
    assert [record.named_automatically for record in records] == [True]
    [other] = await corrections.others(PARTS, records, EntityId("vlv-0042/a"))
    assert other.entity == VALVE
    assert await corrections.rename(PARTS, records, EntityId("vlv-0042/a")) == VALVE
    assert await ids(storage, visual) == [VALVE, VALVE]
    assert not any(record.named_automatically for record in await storage.catalogue.of_entity(PARTS, VALVE))
    assert (await DeleteService(visual, storage).delete(PARTS, EntityId("VLV-0042/a"))).images == 2
    assert await visual.inventory(PARTS) == frozenset()


async def test_failed_rename_changes_neither_side(
    storage: SqlStorage, visual: EmbeddedSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await AddService(visual, storage).add_all(PARTS, [image(1, "pump")])
    records = await storage.catalogue.of_entity(PARTS, EntityId("pump"))

    async def fail(_records: Iterable[ImageRecord], _entity: EntityId) -> int:
        raise BackendDown("the disk is full")

    monkeypatch.setattr(storage.catalogue, "rename", fail)
    with pytest.raises(BackendDown):
        await CorrectionService(visual, storage).rename(PARTS, records, VALVE)
    assert await ids(storage, visual) == ["pump"]


async def test_note_of_origins_that_are_not_seen_stays(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    adding = AddService(visual, storage, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    await adding.add(PARTS, random_picture(1), b"jpeg", VALVE, Note("first"), added_by="U1")
    await adding.add_all(PARTS, [image(1, "x", "b.png")])
    [record] = await storage.catalogue.of_entity(PARTS, VALVE)
    seen = record.seen_through([one for one in record.origins if not one.author])
    assert await CorrectionService(visual, storage).set_note([seen], Note("second")) == 1
    [record] = await storage.catalogue.of_entity(PARTS, VALVE)
    assert [str(origin.note) for origin in record.origins] == ["first", "second"]


def in_channel(seed: int, entity: str, channel: str) -> NewImage:
    kind = ChannelKind.PRIVATE if channel == "C0P" else ChannelKind.PUBLIC
    origin = SlackOrigin(f"F{channel}", channel, "1.0", kind=kind)
    return NewImage(random_picture(seed), b"jpeg", EntityId(entity), Note(), "U1", origin, named_automatically=True)


def through(record: ImageRecord, *channels: str) -> ImageRecord:
    return record.seen_through([one for one in record.origins if one.slack and one.slack.channel in channels])


async def test_id_changes_where_the_person_sees_it(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    adding, corrections = AddService(visual, storage), CorrectionService(visual, storage)
    await adding.add_all(PARTS, [in_channel(1, "Secret", "C0P"), in_channel(1, "Chair", "C0A")])
    [record] = await storage.catalogue.of_entity(PARTS, EntityId("SECRET"))
    public = through(record, "C0A")
    assert (public.entity, public.named_automatically) == ("Chair", True)
    await corrections.rename(PARTS, [public], EntityId("Chair 7"))
    # The image's own id was given where the person can't read.
    assert await ids(storage, visual) == ["Secret"]
    [record] = await storage.catalogue.of_entity(PARTS, EntityId("chair 7"), or_given=True)
    public = through(record, "C0A")
    assert (public.entity, public.named_automatically) == ("Chair 7", False)
    assert (record.entity, record.named_automatically) == ("Secret", True)
    # Who sees both changes the image's id, and what the public channel gave stays.
    await corrections.rename(PARTS, [record], EntityId("Plan"))
    assert await ids(storage, visual) == ["Plan"]
    [record] = await storage.catalogue.of_entity(PARTS, EntityId("Plan"))
    assert [through(record, channel).entity for channel in ("C0P", "C0A")] == ["Plan", "Chair 7"]


async def test_hidden_origins_keep_the_id_that_they_gave(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    adding, corrections = AddService(visual, storage), CorrectionService(visual, storage)
    await adding.add_all(PARTS, [in_channel(1, "Chair", "C0A"), in_channel(1, "CHAIR", "C0P")])
    [record] = await storage.catalogue.of_entity(PARTS, EntityId("chair"))
    await corrections.rename(PARTS, [through(record, "C0A")], EntityId("Sofa"))
    assert await ids(storage, visual) == ["Sofa"]
    [record] = await storage.catalogue.of_entity(PARTS, EntityId("chair"), or_given=True)
    assert [through(record, *some).entity for some in (["C0A"], ["C0A", "C0P"], ["C0P"])] == ["Sofa", "Sofa", "CHAIR"]


async def test_ids_of_origins_are_compared_by_keys(storage: SqlStorage, visual: EmbeddedSearch) -> None:
    await AddService(visual, storage).add_all(PARTS, [in_channel(1, "Secret", "C0P"), in_channel(1, "Größe 7", "C0A")])
    everybody, insiders = VisibleOrigins(frozenset({"C0A"})), VisibleOrigins(frozenset({"C0A", "C0P"}))

    async def found(prefix: str, visible: VisibleOrigins) -> int:
        return (await storage.catalogue.page(PARTS, PageRequest(limit=9, entity_prefix=prefix), visible)).total

    assert [await found(prefix, everybody) for prefix in ("GRÖSSE", "SEC")] == [1, 0]
    assert [await found(prefix, insiders) for prefix in ("GRÖSSE", "SEC")] == [0, 1]
    near = await ListingService(storage.catalogue).similar_entities(
        await storage.catalogue.database(PARTS), EntityId("GRÖSE 7")
    )
    assert list(near) == [EntityId("Größe 7").key]
