"""Fingerprints in memory follow the database, within their limit."""

from __future__ import annotations

from bot.adapters.embedded.retrieval.fingerprint_cache import BYTES_PER_IMAGE
from bot.domain.identifiers import EntityId, Note
from tests.fakes.features import noisy_copy, random_picture
from tests.unit.adapters.pgvector.harness import BRAND, PARTS, Harness, engine, fill


async def test_cached_fingerprints_follow_writes_of_other_engines(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(40))
    here, there = engine(harness.rows), engine(harness.rows)
    assert (await here.search(PARTS, noisy_copy(random_picture(3))))[0].score > 9
    await there.add_image(PARTS, random_picture(500), EntityId("new"), Note())
    assert (await here.search(PARTS, noisy_copy(random_picture(500))))[0].score > 9
    held = here.index_memory
    for seed in range(10):
        await there.delete_images(PARTS, EntityId(f"part_{seed}"))
    assert (await here.search(PARTS, noisy_copy(random_picture(3))))[0].score < 9
    assert (await here.search(PARTS, noisy_copy(random_picture(500))))[0].score > 9
    assert here.index_memory < held


async def test_fingerprints_beyond_the_cache_are_still_searched(harness: Harness) -> None:
    await fill(harness.pgvector, PARTS, range(40))
    await fill(harness.pgvector, BRAND, range(40))
    searching = engine(harness.rows, memory=50 * BYTES_PER_IMAGE)
    for key in (PARTS, BRAND, PARTS):
        assert (await searching.search(key, noisy_copy(random_picture(3))))[0].score > 9
        assert 0 < searching.index_memory <= 50 * BYTES_PER_IMAGE
    tiny = engine(harness.rows, memory=0)
    assert (await tiny.search(PARTS, noisy_copy(random_picture(3))))[0].score > 9
    assert tiny.index_memory == 0
