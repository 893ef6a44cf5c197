"""Measure ``find`` over 50,000 images with notes, on SQLite and on PostgreSQL, for a reader who sees three of four.

The words are made up, and as frequent as in a language: the tenth most frequent is a tenth as frequent as the first.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.report import Row
from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import ChannelKind, VisibleOrigins
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import PictureRegion
from bot.domain.texts import PictureText, TextLine
from bot.services.text.find import FindService
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.postgres import running

IMAGES, BATCH = 50_000, 1000
VOCABULARY, WORDS_OF_NOTE, WORDS_OF_PICTURE = 12_000, 8, 10
WITH_TEXT, HIDDEN = 5, 4
"""One picture of so many has text, and one image of so many is hidden from the reader."""

LIMIT_MS = 20.0
QUESTIONS = 300
KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 18


async def run() -> list[Row]:
    """Ask the same questions on both kinds of databases."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        rows += await _measure("SQLite", Path(folder) / "sqlite", None)
    with running() as cluster, tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        rows += await _measure("PostgreSQL", Path(folder), cluster.address(cluster.database()))
    return rows


async def _measure(name: str, data_dir: Path, url: str | None) -> list[Row]:
    words = _vocabulary()
    storage = await SqlStorage.open(data_dir, url)
    try:
        began = time.perf_counter()
        await storage.catalogue.create_database(KEY)
        await _fill(storage, words)
        filled = time.perf_counter() - began
        service = FindService(storage.words, storage.texts, storage.catalogue)
        kinds: dict[str, list[float]] = {}
        for kind, question in _questions(words):
            began = time.perf_counter()
            await service.find([KEY], question, readers=_Reader())
            kinds.setdefault(kind, []).append(1000 * (time.perf_counter() - began))
    finally:
        await storage.close()
    print(f"{name}: {IMAGES:,} images filled in {filled:.0f} s; p50 and p95 in ms:", flush=True)
    for kind, taken in kinds.items():
        print(f"  {kind:<22} {statistics.median(taken):6.1f} {statistics.quantiles(taken, n=20)[-1]:6.1f}")
    every = [one for taken in kinds.values() for one in taken]
    what = f"find over {IMAGES:,} images with notes, {name}"
    return [
        Row(f"{what}, p50", statistics.median(every), "ms", LIMIT_MS, "limit", 1),
        Row(f"{what}, p95", statistics.quantiles(every, n=20)[-1], "ms"),
    ]


class _Reader:
    """Sees what came from one of the channels, and from none."""

    async def visible(self, key: DatabaseKey) -> VisibleOrigins:
        del key
        return VisibleOrigins(frozenset({"C0OPEN"}), without_channel=True)

    async def shown(self, records: Sequence[ImageRecord]) -> Mapping[DataId, ImageRecord]:
        return {record.data_id: record for record in records}


def _vocabulary() -> list[str]:
    rng = random.Random(SEED)
    syllables = [first + second for first in "bcdfghklmnprstvw" for second in ("a", "e", "i", "o", "u", "an", "er")]
    found: dict[str, None] = {}
    while len(found) < VOCABULARY:
        found["".join(rng.choices(syllables, k=rng.randint(2, 4)))] = None
    return list(found)


def _spoken(rng: random.Random, words: Sequence[str], number: int) -> list[str]:
    """Return words, those in front much more often."""
    return [words[int(len(words) ** rng.random()) - 1] for _ in range(number)]


def _record(number: int, words: Sequence[str]) -> ImageRecord:
    rng = random.Random(number)
    hidden = number % HIDDEN == 0
    channel, kind = ("C0SECRET", ChannelKind.PRIVATE) if hidden else ("C0OPEN", ChannelKind.PUBLIC)
    origin = Origin(
        OriginSource.MESSAGE,
        BEGINNING + timedelta(seconds=number),
        "U1",
        Note(" ".join(_spoken(rng, words, WORDS_OF_NOTE))),
        f"{rng.choice(words)}_{number}.jpg",
        SlackOrigin(f"F{number}", channel, "1.0", kind=kind),
    )
    return ImageRecord(
        database=KEY,
        data_id=DataId(f"{number}"),
        entity=_entity(number),
        digest=f"{number:064d}",
        source_digest=f"{number:064d}",
        fingerprint=bytes(32),
        width=1,
        height=1,
        origins=(origin,),
    )


def _entity(number: int) -> EntityId:
    return EntityId(f"{('VLV', 'PMP', 'GSK')[number % 3]}-{number:05d}/{'ABCD'[number % 4]}")


async def _fill(storage: SqlStorage, words: Sequence[str]) -> None:
    for start in range(0, IMAGES, BATCH):
        async with storage.unit():
            for number in range(start, start + BATCH):
                await storage.catalogue.add(_record(number, words))
    everywhere, rng = PictureRegion(0, 0, 1, 1), random.Random(SEED)
    for _ in range(IMAGES // WITH_TEXT):
        claim = await storage.texts.claim(rng.randrange(IMAGES))
        if claim is not None:
            line = TextLine(" ".join(_spoken(rng, words, WORDS_OF_PICTURE)), 0.99, everywhere)
            await storage.texts.finish(claim, PictureText((line,)))


def _questions(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield questions with their kinds, each kind as often."""
    rng = random.Random(SEED + 1)
    rare, known = words[len(words) // 3 :], words[50:3000]
    for _ in range(QUESTIONS // 10):
        record = _record(rng.randrange(IMAGES), words)
        note = record.note.split()
        word = rng.choice([one for one in known if len(one) > 5])
        place = rng.randrange(1, len(word) - 2)
        yield "an id", str(record.entity)
        yield "beginning of an id", str(record.entity)[:7]
        yield "rare word", rng.choice(rare)
        yield "known word", rng.choice(known)
        yield "most frequent word", words[rng.randrange(5)]
        yield "two words of a note", " ".join(rng.sample(note, 2))
        yield "three words of a note", " ".join(rng.sample(note, 3))
        yield "beginning of a word", rng.choice(known)[:4]
        yield "typing error", word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        yield "unknown word", rng.choice(known)[::-1] + "x"
