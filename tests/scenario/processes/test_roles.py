"""Web and worker processes on one PostgreSQL: whichever is killed, each share is answered once within a minute."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bot.domain.jobs import JobKind
from tests.fakes.slack import FakeSlack, Message
from tests.fixtures.pictures import encoded, photo
from tests.scenario.support.program import Program, free_port, program
from tests.scenario.support.web_bot import SECRET, stock, web_bot

SHARES, WEBS, WORKERS = 30, 2, 3
VALVE = encoded(photo(640, 480, seed=1), "PNG")


async def start_process(stack: AsyncExitStack, settings: dict[str, str], role: str) -> tuple[Program, str]:
    """Start a process of this role, and return it with its address."""
    port = free_port()
    given = {**settings, "VSEARCH_ROLE": role, "HOST": "127.0.0.1", "PORT": str(port)}
    bot = await stack.enter_async_context(program(given))
    await bot.wait_until_listening(f"http://127.0.0.1:{port}")
    return bot, f"http://127.0.0.1:{port}/slack/events"


async def wait_for_answers(slack: FakeSlack, shared: list[Message]) -> None:
    """Wait until each message has an answer."""
    async with asyncio.timeout(90):
        while not all(slack.replies(message.ts) for message in shared):  # noqa: ASYNC110 - several processes answer
            await asyncio.sleep(0.05)


async def test_killed_worker_and_web_process_lose_and_double_no_share(
    slack: FakeSlack, tmp_path: Path, postgres_address: str
) -> None:
    common = {"DATABASE_URL": postgres_address, "VSEARCH_BACKEND": "pgvector", "VSEARCH_THREADS": "1"}
    async with web_bot(slack, tmp_path / "first", **common) as first:
        await stock(first.app, slack.state.team, "parts", valve=VALVE)
    slack.tolerate_silence()
    way = slack.http("http://127.0.0.1:9/slack/events", SECRET)
    way.retries, way.delays_s = 1000, (0.1,)
    settings = {**slack.environment, **common, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_LOG_LEVEL": "error"}
    async with AsyncExitStack() as stack:
        webs = [await start_process(stack, settings, "web") for _ in range(WEBS)]
        workers = [await start_process(stack, settings, "worker") for _ in range(WORKERS)]
        shared: list[Message] = []
        killed_at = 0.0
        for number in range(SHARES):
            way.url = webs[number % 2][1] if killed_at == 0 else webs[1][1]
            shared.append(await slack.upload(encoded(photo(320, 240, seed=number), "PNG")))
            if number == SHARES // 2:
                assert await workers[0][0].end(signal.SIGKILL) == -signal.SIGKILL
                assert await webs[0][0].end(signal.SIGKILL) == -signal.SIGKILL
                killed_at = time.monotonic()
        await wait_for_answers(slack, shared)
        assert time.monotonic() - killed_at < 60
        for bot, _ in (webs[1], *workers[1:]):
            assert await bot.end() == 0, bot.errors
    assert [len(slack.replies(message.ts)) for message in shared] == [1] * SHARES


async def test_picture_searches_are_left_to_workers_and_precede_shares(slack: FakeSlack, tmp_path: Path) -> None:
    async with web_bot(slack, tmp_path / "data", VSEARCH_ROLE="web") as bot:
        await stock(bot.app, slack.state.team, "parts", valve=VALVE)
        shared = await slack.upload(VALVE)
        await slack.command("search last in:parts")
        async with asyncio.timeout(10):
            while (await bot.app.services.storage.inbox.depth()).waiting < 2:  # noqa: ASYNC110 - it is SQL that changes
                await asyncio.sleep(0.01)
        first, second = await bot.app.services.storage.inbox.claim("somebody", 2, 0.0)
        assert (first.kind, second.kind) == (JobKind.REQUEST, JobKind.SHARE)
        assert '"token"' not in first.payload
    settings = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_ROLE": "worker"}
    async with program({name: value for name, value in settings.items() if name != "SLACK_SIGNING_SECRET"}) as worker:
        assert "`valve`" in (await slack.wait_for_answer()).everything
        assert "`valve`" in (await slack.wait_for_reply(shared.channel, shared.ts)).everything
        assert await worker.end() == 0, worker.errors


async def test_web_process_leaves_shares_to_workers_and_answers_commands(slack: FakeSlack, tmp_path: Path) -> None:
    async with web_bot(slack, tmp_path / "data", VSEARCH_ROLE="web") as bot:
        await stock(bot.app, slack.state.team, "parts", valve=VALVE)
        shared = await slack.upload(VALVE)
        await slack.command("db")
        assert "`parts`" in (await slack.wait_for_answer()).everything
        assert (await bot.app.services.storage.inbox.depth()).waiting == 1
    settings = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data"), "VSEARCH_ROLE": "worker"}
    async with program({name: value for name, value in settings.items() if name != "SLACK_SIGNING_SECRET"}) as worker:
        assert "`valve`" in (await slack.wait_for_reply(shared.channel, shared.ts)).everything
        assert await worker.end() == 0, worker.errors
