"""Share pictures in three channels while the bot is killed repeatedly at random moments.

The channels have the modes lookup, collect and guard. Slack delivers shares twice, in two events, or with a mention;
optionally, it posts answers and then reports an error. At the end the bot may finish, and the outcome of each share is
checked.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bot.app.services import Services, build_services
from bot.config.settings import Settings
from bot.domain.catalogue import ImageRecord
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.domain.pages import PageRequest
from tests.fakes.slack import FakeSlack, Message
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.program import Program, free_port, program

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
CHANNELS = {ChannelMode.LOOKUP: "C0LOOKUP", ChannelMode.COLLECT: "C0COLLECT", ChannelMode.GUARD: "C0GUARD"}
KNOWN = 3
"""Pictures that the lookup database has from the start."""

WINDOW_S = 0.8
"""Each life of the bot gets its shares, and its kill, within this many seconds."""

KILLED_WHILE_STARTING = 0.2
FINISHES_WITHIN_S = 400.0
"""Each kill counts as an attempt. After the fourth failed attempt, the next is 300 s later."""


@dataclass
class Outcome:
    """The outcome. ``faults`` should be empty; ``interrupted`` counts jobs that were started more than once."""

    shares: int = 0
    kills: int = 0
    interrupted: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Shared:
    """A shared picture. Equal seeds give equal pictures."""

    mode: ChannelMode
    seed: int
    message: Message


def jobs(data_dir: Path, condition: str) -> int:
    """Count the jobs of the inbox that match an SQL condition."""
    connection = sqlite3.connect(data_dir / "vsearch.db")
    try:
        return int(connection.execute(f"SELECT count(*) FROM inbox WHERE {condition}").fetchone()[0])
    finally:
        connection.close()


async def finished(data_dir: Path, bot: Program) -> None:
    """Wait until the bot's inbox is empty."""
    while jobs(data_dir, "state NOT IN ('done', 'failed')"):
        assert bot.process.returncode is None, bot.errors
        await asyncio.sleep(0.02)


class CrashScenario:
    """One bot, one Slack and one data directory."""

    def __init__(
        self, slack: FakeSlack, data_dir: Path, *, over_http: bool, seed: int, lost_answer_rate: float = 0
    ) -> None:
        self._slack = slack
        self._data_dir = data_dir
        self._random = random.Random(seed)
        self._lost_answer_rate = lost_answer_rate
        self._shared: list[Shared] = []
        self._url = f"http://127.0.0.1:{free_port()}"
        delivery = slack.http(f"{self._url}/slack/events", SECRET) if over_http else slack.socket_mode
        # Slack repeats a delivery until a bot is there to acknowledge it.
        delivery.retries, delivery.delays_s = 10_000, (0.1,)
        slack.tolerate_silence()
        self._delivery = delivery
        self._settings = {
            **slack.environment,
            "VSEARCH_DATA_DIR": str(data_dir),
            "VSEARCH_LOG_LEVEL": "error",
            "HOST": "127.0.0.1",
            "PORT": self._url.rpartition(":")[2],
        }

    async def run(self, shares: int, kills: int) -> Outcome:
        """Kill the bot this many times during the shares, and let the last one finish."""
        for mode, channel in CHANNELS.items():
            self._slack.add_channel(channel, mode)
        async with self._services() as services:
            await self._prepare(services)
        for number in range(kills):
            due = shares * (number + 1) // (kills + 1) - len(self._shared)
            await self._run_until_kill(due)
        await self._finish(shares - len(self._shared))
        async with self._services() as services:
            outcome = Outcome(len(self._shared), kills, jobs(self._data_dir, "attempts > 1"))
            outcome.faults += [fault async for fault in self._faults(services)]
        return outcome

    def _services(self) -> AbstractAsyncContextManager[Services]:
        return build_services(Settings(data_dir=self._data_dir))

    def _key(self, mode: ChannelMode) -> DatabaseKey:
        return DatabaseKey(WorkspaceId(self._slack.state.team), DatabaseName(f"for_{mode}"))

    async def _prepare(self, services: Services) -> None:
        for mode, channel in CHANNELS.items():
            key = self._key(mode)
            await services.databases.create(key)
            await services.storage.bindings.put(ChannelBinding(key.workspace, channel, mode, key.name))
        for seed in range(KNOWN):
            picture, jpeg = await services.normaliser.picture_and_jpeg(_picture(seed))
            await services.additions.add(self._key(ChannelMode.LOOKUP), picture, jpeg, EntityId(f"part_{seed}"), Note())

    async def _run_until_kill(self, shares: int) -> None:
        """Start the bot, share pictures, and kill it."""
        async with program(self._settings) as bot:
            if self._random.random() > KILLED_WHILE_STARTING:
                await bot.wait_until_listening(self._url)
            delays = [self._random.uniform(0, WINDOW_S) for _ in range(shares)]
            sharing = asyncio.gather(*map(self._share_at, delays))
            await asyncio.sleep(self._random.uniform(0, WINDOW_S))
            assert await bot.end(signal.SIGKILL) == -signal.SIGKILL, bot.errors
            await sharing

    async def _share_at(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._share()

    async def _share(self) -> None:
        mode, seed = self._random.choice(list(CHANNELS)), 1000 + len(self._shared)
        if mode is ChannelMode.LOOKUP and self._random.random() < 0.5:
            seed = self._random.randrange(KNOWN)
        earlier = [shared.seed for shared in self._shared if shared.mode is ChannelMode.GUARD]
        if mode is ChannelMode.GUARD and earlier and self._random.random() < 0.4:
            seed = self._random.choice(earlier)
        if self._random.random() < self._lost_answer_rate:
            self._slack.lose_next_answer("chat.postMessage")
        message = await self._slack.upload(
            _picture(seed),
            channel=CHANNELS[mode],
            redeliveries=self._random.choice((0, 0, 1, 2)),
            twins=self._random.choice((0, 0, 0, 1)),
            mention=mode is ChannelMode.LOOKUP and self._random.random() < 0.3,
        )
        self._shared.append(Shared(mode, seed, message))

    async def _finish(self, shares: int) -> None:
        async with program(self._settings) as bot, asyncio.timeout(FINISHES_WITHIN_S):
            await bot.wait_until_listening(self._url)
            for _ in range(shares):
                await self._share()
            while self._delivery._tasks:
                await asyncio.wait(self._delivery._tasks)
            await finished(self._data_dir, bot)
            assert await bot.end() == 0, bot.errors

    async def _faults(self, services: Services) -> AsyncIterator[str]:
        kept = {mode: await self._records(services, mode) for mode in CHANNELS}
        for mode, records in kept.items():
            listed = await services.visual.list_images(self._key(mode), PageRequest(limit=1000))
            if Counter(row.data_id for row in listed.items) != Counter(record.data_id for record in records):
                yield f"{mode}: catalogue and index differ"
        if len(kept[ChannelMode.LOOKUP]) != KNOWN:
            yield f"lookup: {len(kept[ChannelMode.LOOKUP])} images, {KNOWN} at the start"
        for message in self._slack.transcript:
            if message.to:
                yield f"somebody was told: {message.text}"
        images = Counter(record.origin.message_ts for mode in CHANNELS for record in kept[mode] if record.origin)
        for fault in self._faults_of_shares(images):
            yield fault

    async def _records(self, services: Services, mode: ChannelMode) -> tuple[ImageRecord, ...]:
        return (await services.storage.catalogue.page(self._key(mode), PageRequest(limit=1000))).items

    def _faults_of_shares(self, images: Counter[str]) -> Iterator[str]:
        same: defaultdict[int, list[Shared]] = defaultdict(list)
        for shared in self._shared:
            answers, reactions = len(self._slack.replies(shared.message.ts)), self._slack.reactions(shared.message)
            kept = images[shared.message.ts]
            expected = {
                # If a guard sees a picture twice, it adds the first one and answers the other.
                ChannelMode.LOOKUP: (1, 0, []),
                ChannelMode.COLLECT: (0, 1, ["white_check_mark"]),
                ChannelMode.GUARD: (1 - kept, kept, []),
            }[shared.mode]
            if (answers, kept, reactions) != expected:
                yield f"{shared.mode} {shared.message.ts}: {answers} answers, {kept} images, reactions {reactions}"
            if shared.mode is ChannelMode.GUARD:
                same[shared.seed].append(shared)
        for seed, shares in same.items():
            if (total := sum(images[shared.message.ts] for shared in shares)) != 1:
                yield f"guard: picture {seed} is there {total} times"


def _picture(seed: int) -> bytes:
    return encoded(photo(320, 240, seed=seed), "JPEG", quality=90)
