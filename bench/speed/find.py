"""Measure ``find`` over 50,000 images with notes, on SQLite and on PostgreSQL, for a reader who sees three of four.

The words are made up, and as frequent as in a language: the tenth most frequent is a tenth as frequent as the first.
Beside the time of each kind of question, it says how much of the processors' time they take, the database server's
included: that is what a busy machine changes less. Last, it compares a word of hidden images with one that nobody has.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bench.report import Row
from bench.timing import medians, time_alternately
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
WITH_TEXT, HIDDEN, OTHER_SCRIPTS = 5, 4, 10
"""One picture of so many has text, one image of so many is hidden from the reader, one note has such a word."""

SCRIPTS = ("水泵型号", "阀门", "图书馆", "насос", "шаровой", "κινητήρας", "กล้องถ่ายรูป", "पंप", "펌프")
SECRET, SECRET_TOO, NOBODYS = "xuxumarelo", "xuxumaresa", "xuxumarefi"
"""Words of all hidden images, of 60 of them, and of none."""

LIMIT_MS, DIFFERENCE = 20.0, 1.05
OF_EACH_KIND, REPEATED = 30, 300
KEY = DatabaseKey(WorkspaceId("T1"), DatabaseName("parts"))
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 18


async def run() -> list[Row]:
    """Ask the same questions on both kinds of databases."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        rows += await _measure("SQLite", Path(folder) / "sqlite", None, time.process_time)
    with running() as cluster, tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:

        def spent() -> float:
            return time.process_time() + _cpu_of_children(cluster.pid)

        rows += await _measure("PostgreSQL", Path(folder), cluster.address(cluster.database()), spent)
    return rows


async def _measure(name: str, data_dir: Path, url: str | None, spent: Callable[[], float]) -> list[Row]:
    words = _vocabulary()
    storage = await SqlStorage.open(data_dir, url)
    try:
        began = time.perf_counter()
        await storage.catalogue.create_database(KEY)
        await _fill(storage, words)
        if url:
            # As a server does by itself, which that of the tests doesn't.
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        print(f"{name}: {IMAGES:,} images filled in {time.perf_counter() - began:.0f} s", flush=True)
        service = FindService(storage.words, storage.texts, storage.catalogue)

        async def ask(question: str) -> int:
            return len((await service.find([KEY], question, readers=_Reader())).matches)

        began = time.perf_counter()
        await ask(NOBODYS)
        print(f"{name}: the words read into memory in {1000 * (time.perf_counter() - began):.0f} ms", flush=True)
        rows = [await _row(name, kind, questions, ask, spent) for kind, questions in _questions(words).items()]
        every = [one for _, taken in rows for one in taken]
        what = f"find over {IMAGES:,} images with notes, {name}"
        return [
            Row(f"{what}, p50", statistics.median(every), "ms", LIMIT_MS, "limit", 1),
            Row(f"{what}, p95", statistics.quantiles(every, n=20)[-1], "ms"),
            *(row for row, _ in rows),
            *await _hidden_rows(name, ask),
        ]
    finally:
        await storage.close()


async def _row(
    name: str, kind: str, questions: Sequence[str], ask: Callable[[str], Awaitable[int]], spent: Callable[[], float]
) -> tuple[Row, list[float]]:
    """Return the measurement of one kind of questions, and the milliseconds of each."""
    taken, found = [], 0
    before = spent()
    for question in questions:
        began = time.perf_counter()
        found += await ask(question)
        taken.append(1000 * (time.perf_counter() - began))
    note = f"CPU {1000 * (spent() - before) / len(questions):.1f} ms on average, {found / len(questions):.0f} images"
    return Row(f"{name}: {kind}", statistics.median(taken), "ms", LIMIT_MS, "limit", 1, note=note), taken


async def _hidden_rows(name: str, ask: Callable[[str], Awaitable[int]]) -> list[Row]:
    """Return how long the words take that are only in images which the reader may not see."""
    kinds = {"of all hidden images": SECRET, "of 60 hidden images": SECRET_TOO, "that nobody has": NOBODYS}
    calls = {kind: (lambda word=word: ask(word)) for kind, word in kinds.items()}
    taken = medians(await time_alternately(calls, REPEATED))
    nobodys = taken.pop("that nobody has")
    return [
        Row(f"{name}: a word {kind}, p50", p50, "ms", nobodys, "a word that nobody has", DIFFERENCE)
        for kind, p50 in taken.items()
    ]


def _cpu_of_children(pid: int) -> float:
    """Return the seconds of processor time that a process's children have used. Linux counts in steps of 10 ms."""
    used = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


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
        Note(" ".join([*_spoken(rng, words, WORDS_OF_NOTE), *_further_words(number)])),
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


def _further_words(number: int) -> Iterator[str]:
    if number % HIDDEN == 0:
        yield SECRET
        if number < 60 * HIDDEN:
            yield SECRET_TOO
    if number % OTHER_SCRIPTS == 1:
        yield SCRIPTS[number // OTHER_SCRIPTS % len(SCRIPTS)]


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


def _questions(words: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return questions by their kinds."""
    kinds: dict[str, list[str]] = {}
    for kind, question in _each_question(words):
        kinds.setdefault(kind, []).append(question)
    return kinds


def _each_question(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    rng = random.Random(SEED + 1)
    rare, known = words[len(words) // 3 :], words[50:3000]
    for _ in range(OF_EACH_KIND):
        record = _record(rng.randrange(IMAGES // HIDDEN) * HIDDEN + 1, words)
        note = record.note.split()[:WORDS_OF_NOTE]
        word = rng.choice([one for one in known if len(one) > 5])
        long = rng.choice([one for one in known if len(one) > 8])
        place = rng.randrange(1, len(word) - 2)
        script = rng.choice(SCRIPTS)
        yield "an id", str(record.entity)
        yield "beginning of an id", str(record.entity)[:7]
        yield "rare word", rng.choice(rare)
        yield "known word", rng.choice(known)
        yield "most frequent word", words[rng.randrange(5)]
        yield "two words of a note", " ".join(rng.sample(note, 2))
        yield "three words of a note", " ".join(rng.sample(note, 3))
        yield "beginning of a word", rng.choice(known)[:4]
        yield "two letters", rng.choice(known)[:2]
        yield "typing error", word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        yield "two typing errors", f"{long[:2]}x{long[3:5]}x{long[6:]}"
        yield "part of a word", word[2:]
        yield "part of a part number", f"{rng.randrange(1000):03d}"
        yield "another script", script
        yield "unknown word, another script", script[:1] + script[::-1]
        yield "unknown word", rng.choice(known)[::-1] + "x"
        yield "known and unknown word", f"{rng.choice(known)} {rng.choice(known)[::-1]}x"
        yield "word of hidden images", SECRET
