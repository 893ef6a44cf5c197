"""An export keeps all origins of its images, and an import restores them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from bot.domain.pictures import Picture
from bot.services.images.exported_origins import decode_origins, encode_origins
from bot.services.images.exporter import ExportService
from bot.services.images.import_sources import sources_at
from bot.services.images.importer import ImportService
from bot.services.images.listing import ListingService
from tests.fakes.features import random_picture
from tests.unit.services.origins import PARTS, TEAM, Harness, harness

__all__ = ["harness"]

ORIGINS = (
    Origin(
        OriginSource.MESSAGE,
        datetime(2026, 1, 1, tzinfo=UTC),
        "U1",
        Note("“DN 25”, =1+1"),
        "valve.png",
        SlackOrigin("F1", "C1", "1.1", "https://x.slack.com/p1", ChannelKind.PRIVATE),
    ),
    Origin(OriginSource.COMMAND_LINE, datetime(2026, 1, 2, tzinfo=UTC)),
)
RECORD = ImageRecord(PARTS, DataId("1"), EntityId("valve"), "d", "s", b"", 1, 1, ORIGINS)


def test_origins_round_trip() -> None:
    assert decode_origins(encode_origins(RECORD).encode(), TEAM) == (ORIGINS, "")


def test_origins_of_another_workspace_are_left_out() -> None:
    assert decode_origins(encode_origins(RECORD).encode(), WorkspaceId("T2")) == ((), "")


@pytest.mark.parametrize("damaged", [b"", b"[]", b"{}", b"\xff", b'{"workspace": "T1", "origins": [{}]}'])
def test_damaged_file_is_refused(damaged: bytes) -> None:
    with pytest.raises(InvalidInput, match="damaged"):
        decode_origins(damaged, TEAM)


class Reader:
    """Decodes every file as the same picture."""

    async def picture_and_jpeg(self, data: bytes) -> tuple[Picture, bytes]:
        return random_picture(1), data


async def test_import_of_an_export_restores_all_origins(harness: Harness, tmp_path: Path) -> None:
    await harness.add(1, "F1", "C1", "1.1", note="first", kind=ChannelKind.PRIVATE)
    harness.day = 1
    await harness.add(1, "F2", "C2", "1.2", note="second", user="U2")
    await harness.add(1, user="")
    catalogue = harness.storage.catalogue
    listings = ListingService(catalogue)
    report = await ExportService(harness.storage, listings).run(PARTS, tmp_path)
    again = DatabaseKey(TEAM, DatabaseName("again"))
    await harness.databases.create(again)
    harness.day = 9
    importer = ImportService(catalogue, harness.additions, Reader())
    for added in (1, 0):
        assert (await importer.run(again, sources_at(report.table))).added == added
        [before] = (await catalogue.page(PARTS, PageRequest())).items
        [after] = (await catalogue.page(again, PageRequest())).items
        assert after.origins == before.origins
    # A deletion in Slack reaches both.
    await harness.removal.remove_file(TEAM, "F1")
    assert [record.note for record in (await catalogue.page(again, PageRequest())).items] == ["second"]
