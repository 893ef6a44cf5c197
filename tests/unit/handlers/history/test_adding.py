"""The pipeline that adds past pictures: what is in memory at the same time, and how lookups go first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import HistoryImport, HistoryStatus, PastCounts, PastMessage
from bot.services.channels.history_pace import PastWork
from handlers.history import adding
from handlers.history.adding import PictureAdder
from handlers.history.lookup_yield import LookupYield, YieldingPictureReader
from tests.fakes.clock import Clock

GIVEN = HistoryImport(workspace=WorkspaceId("T1"), enterprise="", channel="C1", latest="9", id=1)


class Imports:
    """The listed messages of an import."""

    def __init__(self, count: int, clock: Clock) -> None:
        self.messages = [PastMessage(f"{number:03}", ("F1",), "{}") for number in range(count)]
        self.given = replace(GIVEN, created_at=clock())
        self.attempts = 0

    async def next_messages(self, _number: int, limit: int, after: str = "") -> tuple[PastMessage, ...]:
        return tuple(one for one in self.messages if one.message > after)[:limit]

    async def begin_messages(self, _number: int) -> int:
        self.attempts += 1
        return self.attempts

    async def return_messages(self, _number: int) -> None:
        self.attempts -= 1

    async def finish_messages(self, _number: int, messages: Sequence[str], _counts: PastCounts) -> None:
        self.messages = [one for one in self.messages if one.message not in messages]

    async def get(self, _number: int) -> HistoryImport:
        return self.given


class Read:
    """Pictures that were read, and how large they are."""

    def __init__(self, messages: Sequence[PastMessage], size: int) -> None:
        self.messages = [one.message for one in messages]
        self.size = size


class Pictures:
    """Reads at once, and writes down which messages were read when others were added."""

    def __init__(self, size: int = 0) -> None:
        self.size = size
        self.read_before: list[tuple[list[str], int]] = []
        self.crashes: list[int] = []
        self._read = 0

    async def read(
        self, _given: HistoryImport, messages: Sequence[PastMessage], _client: object, *, crashes: int, failures: int
    ) -> Read:
        self.crashes.append(crashes + failures)
        self._read += len(messages)
        return Read(messages, self.size)

    async def add(self, read: Read) -> PastCounts:
        await asyncio.sleep(0)
        self.read_before.append((read.messages, self._read))
        return PastCounts(added=len(read.messages))


class Pipeline:
    """A pipeline over fakes."""

    def __init__(self, count: int, size: int = 0, idle_s: Callable[[], float] = lambda: 100.0) -> None:
        clock = Clock()
        self.imports = Imports(count, clock)
        self.pictures = Pictures(size)
        self.shown = 0
        self.adder = PictureAdder(
            imports=self.imports,  # type: ignore[arg-type]
            reader=None,  # type: ignore[arg-type]
            pictures=self.pictures,  # type: ignore[arg-type]
            lookups=LookupYield(idle_s),
            work=PastWork(),
            clock=clock,
        )

    async def run(self, failures: int = 0, *, goes_on: bool = True) -> bool:
        async def show() -> None:
            self.shown += 1

        async def may_go_on() -> bool:
            return goes_on

        client: Any = None
        return await self.adder.add(self.imports.given, client, failures, show, may_go_on)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "MESSAGES_AT_ONCE", 4)
    monkeypatch.setattr(adding, "PICTURES_AT_ONCE", 2)
    monkeypatch.setattr(adding, "PICTURES_BESIDE_LOOKUPS", 1)


async def test_next_batches_are_read_while_one_is_added_across_queries() -> None:
    pipeline = Pipeline(12)
    assert await pipeline.run()
    assert [messages for messages, _ in pipeline.pictures.read_before] == [
        [f"{number:03}", f"{number + 1:03}"] for number in range(0, 12, 2)
    ]
    assert [read for _, read in pipeline.pictures.read_before] == [6, 8, 10, 12, 12, 12]
    assert not pipeline.imports.messages
    assert pipeline.imports.attempts == 0
    assert pipeline.shown
    assert not await pipeline.run()


async def test_large_pictures_make_smaller_batches() -> None:
    pipeline = Pipeline(12, size=adding.LARGE_BATCH_BYTES)
    await pipeline.run()
    assert [len(messages) for messages, _ in pipeline.pictures.read_before] == [2, 2, 2, 1, 1, 1, 1, 1, 1]


async def test_what_is_in_memory_is_added_before_another_import_gets_its_turn() -> None:
    pipeline = Pipeline(12)
    assert await pipeline.run(goes_on=False)
    assert [one.message for one in pipeline.imports.messages] == [f"{number:03}" for number in range(6, 12)]


async def test_paused_import_adds_no_further_batch() -> None:
    pipeline = Pipeline(12)
    pipeline.imports.given = replace(pipeline.imports.given, status=HistoryStatus.PAUSED)
    await pipeline.run()
    assert len(pipeline.imports.messages) == 10


@pytest.mark.parametrize(("attempts", "failures"), [(1, 0), (0, 1)])
async def test_after_a_crash_or_failure_one_message_is_added_alone(attempts: int, failures: int) -> None:
    pipeline = Pipeline(12)
    pipeline.imports.attempts = attempts
    await pipeline.run(failures)
    assert pipeline.pictures.crashes == [1]
    assert len(pipeline.imports.messages) == 11


async def test_nothing_is_added_while_a_lookup_runs() -> None:
    idle_s = 0.0
    pipeline = Pipeline(8, idle_s=lambda: idle_s)
    running = asyncio.create_task(pipeline.run())
    await asyncio.sleep(0.03)
    assert not pipeline.pictures.read_before
    idle_s = 0.1
    await running
    # Beside lookups there is less in memory, which the next one would wait for.
    assert pipeline.pictures.read_before[0][1] == adding.BATCHES_AHEAD * adding.PICTURES_BESIDE_LOOKUPS


async def test_pictures_are_decoded_one_by_one_beside_lookups() -> None:
    idle_s, at_once, most = 0.0, 0, 0

    class Decoder:
        async def picture_and_jpeg(self, _data: bytes) -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.001)
            at_once -= 1

    decoder: Any = Decoder()
    reader = YieldingPictureReader(decoder, LookupYield(lambda: idle_s))
    decoding = asyncio.gather(*(reader.picture_and_jpeg(b"") for _ in range(4)))
    await asyncio.sleep(0.03)
    assert most == 0
    idle_s = 0.1
    await decoding
    assert most == 1
    idle_s = 100.0
    await asyncio.gather(*(reader.picture_and_jpeg(b"") for _ in range(4)))
    assert most == 4
