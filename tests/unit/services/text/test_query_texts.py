"""Texts of queries: read once, bounded, remembered."""

from __future__ import annotations

import asyncio

from bot.domain.texts import PictureText
from bot.images.text.reader import NullTextReader
from bot.services.text.query_texts import MAX_WAITING, QueryTexts
from tests.fakes.features import random_picture
from tests.fakes.texts import FakeTextReader, text_of

PICTURE = random_picture(1)


async def test_picture_is_read_once_and_remembered() -> None:
    reader = FakeTextReader({PICTURE.digest: text_of("valve")})
    texts = QueryTexts(reader)
    first, second = texts.request(PICTURE), texts.request(PICTURE)
    assert first is not None
    assert second is not None
    found = await asyncio.gather(first.wait(), second.wait(), texts.read(PICTURE))
    assert set(found) == {text_of("valve")}
    assert texts.known(PICTURE.digest) == text_of("valve")
    assert texts.request(PICTURE) is None
    assert reader.read_digests == [PICTURE.digest]
    assert not texts.is_busy


async def test_pictures_beyond_the_limit_are_not_read() -> None:
    reader = FakeTextReader()
    reader.may_read.clear()
    texts = QueryTexts(reader)
    pending = [texts.request(random_picture(seed)) for seed in range(MAX_WAITING + 1)]
    assert pending[-1] is None
    assert None not in pending[:-1]
    await texts.close()
    first = pending[0]
    assert first is not None
    assert await first.wait() == PictureText()


async def test_unreadable_query_has_no_text() -> None:
    reader = FakeTextReader({PICTURE.digest: text_of("valve")})
    reader.unreadable.add(PICTURE.digest)
    assert await QueryTexts(reader).read(PICTURE) == PictureText()


async def test_nothing_is_awaited_without_a_reader() -> None:
    assert QueryTexts(NullTextReader()).request(PICTURE) is None
