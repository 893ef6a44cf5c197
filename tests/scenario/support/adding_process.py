"""A process that adds pictures to a data directory and prints a line after each. The durability tests kill it.

Arguments: the data directory, the first seed, the number of pictures.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.domain.errors import DatabaseExists
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, random_picture
from tests.fixtures.records import image_record

PARTS = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))


def engine(storage: SqlStorage) -> EmbeddedSearch:
    return EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=2**26)


async def make_database(storage: SqlStorage) -> None:
    try:
        async with storage.unit():
            await storage.catalogue.create_database(PARTS)
            await engine(storage).create_database(PARTS)
    except DatabaseExists:
        pass


async def add(storage: SqlStorage, visual: EmbeddedSearch, seed: int) -> None:
    """Add a picture as the service does: record, vector and picture in one unit of work."""
    picture = random_picture(seed)
    async with storage.unit():
        data_id = await visual.add_image(PARTS, picture, EntityId(f"part_{seed}"), Note())
        record = image_record(
            database=PARTS,
            data_id=data_id,
            entity=EntityId(f"part_{seed}"),
            note=Note(),
            digest=picture.digest,
            source_digest=picture.source_digest,
            fingerprint=b"",
            width=picture.width,
            height=picture.height,
            added_at=datetime.now(UTC),
        )
        await storage.catalogue.add(record)
        await storage.pictures.put(picture.digest, picture.pixels.tobytes())


async def main(folder: Path, first: int, count: int) -> None:
    storage = await SqlStorage.open(folder)
    await make_database(storage)
    visual = engine(storage)
    for seed in range(first, first + count):
        await add(storage, visual, seed)
        print(seed, flush=True)  # noqa: T201 - the line is the acknowledgement
    await storage.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
