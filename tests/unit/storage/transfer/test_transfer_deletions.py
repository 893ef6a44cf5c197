"""A deletion that is under way when data is transferred is finished on the other side."""

from __future__ import annotations

from pathlib import Path

from bot.domain.pages import PageRequest
from bot.services.databases import finish_deletions
from tests.fixtures.data_transfer import TransferCase
from tests.fixtures.storages import StoragePlace
from tests.unit.storage.removals.services import IMAGES, OTHERS, PARTS, Services


async def test_deletion_under_way_is_finished_after_a_transfer(tmp_path: Path, postgres_address: str) -> None:
    transfer = TransferCase(StoragePlace(tmp_path / "old"), StoragePlace(tmp_path / "new", postgres_address))
    before = await transfer.before.open()
    services = Services(before)
    for key in (PARTS, OTHERS):
        await services.databases.create(key)
    await services.fill(PARTS, range(IMAGES))
    await services.fill(OTHERS, range(5))
    await services.databases.mark_deleted(PARTS)
    assert await before.deleted.remaining()
    await before.close()
    assert (await transfer.run()).complete
    after = await transfer.after.open()
    try:
        moved = Services(after)
        assert await after.deleted.remaining()
        assert await finish_deletions(after)
        assert await after.deleted.remaining() == 0
        assert (await after.pending_removals.counts()).open == 0
        assert await moved.stored() == 5
        assert len((await after.catalogue.page(OTHERS, PageRequest(limit=100))).items) == 5
        assert len(await moved.visual.inventory(OTHERS)) == 5
    finally:
        await after.close()
