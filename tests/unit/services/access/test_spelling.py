"""An id is written as somebody wrote it whom the reader can read."""

from __future__ import annotations

import pytest

from bot.adapters.memory import MemorySearch
from bot.domain.catalogue import SlackOrigin
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import EntityId, Note
from bot.services.access.privacy import PrivacyService
from bot.services.databases import DatabaseService
from bot.services.images.addition import AddService
from bot.storage.sql_storage import SqlStorage
from tests.fakes.conversations import FakeChannelDirectory
from tests.fakes.features import random_picture
from tests.unit.services.access.readers import ANN, BOB, TEAM, record

PARTS = record(1).database


@pytest.mark.parametrize(
    ("reader", "written"), [(ANN, {"vlv-0042/a"}), (BOB, {"VLV-0042/A"})], ids=["outsider", "insider"]
)
async def test_spelling_of_a_hidden_image_is_not_shown(storage: SqlStorage, reader: str, written: set[str]) -> None:
    visual = MemorySearch()
    await DatabaseService(visual, storage).create(PARTS)
    adding = AddService(visual, storage)
    places = [("VLV-0042/A", "C0SECRET", ChannelKind.PRIVATE), ("vlv-0042/a", "C0OPEN", ChannelKind.PUBLIC)]
    for number, (entity, channel, kind) in enumerate(places):
        origin = SlackOrigin(f"F{number}", channel, "1.0", kind=kind)
        await adding.add(PARTS, random_picture(number), b"jpeg", EntityId(entity), Note(), added_by="U9", origin=origin)
    images = await storage.catalogue.of_entity(PARTS, EntityId("vlv-0042/a"))
    assert [image.entity for image in images] == ["VLV-0042/A"] * 2
    channels = FakeChannelDirectory(
        {"C0SECRET": ChannelKind.PRIVATE, "C0OPEN": ChannelKind.PUBLIC}, {"C0SECRET": {BOB}}
    )
    audience = Audience(TEAM, "C0OPEN", ChannelKind.PUBLIC, reader)
    shown = await PrivacyService(storage.catalogue).shown(images, audience, channels)
    assert {image.entity for image in shown.values()} == written
