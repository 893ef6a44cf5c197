"""Reading past pictures beside lookups."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from handlers.history.lookup_yield import LookupYield
from handlers.history.past_pictures import PastPictures

KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))


async def test_pictures_are_embedded_together_alone_and_one_by_one_beside_lookups() -> None:
    idle_s = 100.0
    begun: list[int] = []

    class Collecting:
        async def prepare(self, _key: DatabaseKey, images: Sequence[object]) -> None:
            begun.append(len(images))

    fake: Any = None
    collecting: Any = Collecting()
    pictures = PastPictures(
        channel_settings=fake,
        lookup=fake,
        files=fake,
        collector=fake,
        collecting=collecting,
        directories=fake,
        lookups=LookupYield(lambda: idle_s),
    )
    images: Any = [object(), object(), object()]
    await pictures._embed(KEY, images)
    assert begun == [3]
    idle_s = 0.0
    embedding = asyncio.create_task(pictures._embed(KEY, images))
    await asyncio.sleep(0.03)
    assert begun == [3]
    idle_s = 0.1
    await embedding
    assert begun == [3, 1, 1, 1]
