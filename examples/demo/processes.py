"""The demo's programs: the bot, and how each is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from examples.demo.errors import DemoError
from examples.demo.stand_in import StandIn

ROOT = Path(__file__).parent.parent.parent
START_WITHIN_S = 60
STOP_WITHIN_S = 20
LINES_TOLD = 12
WORK_WITHIN_S = 60
ASK_AGAIN_S = 0.05

NOTHING_WAITS = "vsearch_inbox_jobs 0.0"
"""A line of the bot's metrics."""


@asynccontextmanager
async def stopping(process: Process) -> AsyncIterator[None]:
    """On the way out, the program is asked to stop, and killed if it does not."""
    try:
        yield
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        # Its input, if we held that, is let go of too.
        if process.stdin is not None:
            process.stdin.close()


async def run(environment: Mapping[str, str], log: Path, *arguments: str) -> None:
    """One command of the bot's program. Raises Failed."""
    with log.open("a") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments, env=environment, cwd=ROOT, stdout=stream, stderr=stream
        )
        async with stopping(process):
            await process.wait()
    if process.returncode:
        raise DemoError(with_log_tail(f"“python -m bot {arguments[0]}” did not work", log))


class Bot:
    """The bot as a process of its own, with its HTTP at ``address``."""

    def __init__(self, process: Process, address: str, session: aiohttp.ClientSession) -> None:
        self._process = process
        self.address = address
        self._session = session

    async def ended(self) -> int:
        """Wait until it is over, for whatever reason; the code that it ended with."""
        return await self._process.wait()

    async def until_idle(self) -> None:
        """Wait until all that it was told of is done. Raises Failed."""
        ends = time.monotonic() + WORK_WITHIN_S
        while time.monotonic() < ends:
            async with self._session.get(f"{self.address}/metrics") as response:
                if NOTHING_WAITS in (await response.text()).splitlines():
                    return
            await asyncio.sleep(ASK_AGAIN_S)
        raise DemoError(f"The bot is not done after {WORK_WITHIN_S} s.")


@asynccontextmanager
async def bot(environment: Mapping[str, str], stand_in: StandIn, log: Path) -> AsyncIterator[Bot]:
    """The bot, from connected to stopped."""
    with log.open("a") as stream:
        process = await asyncio.create_subprocess_exec(
            *_dying_with_us(),
            sys.executable,
            "-m",
            "bot",
            env=environment,
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
            start_new_session=True,  # Ctrl-C is for us, who stop things in order
        )
    async with stopping(process), aiohttp.ClientSession() as session:
        await _connected(process, stand_in, log)
        yield Bot(process, environment["PUBLIC_BASE_URL"], session)


async def _connected(process: Process, stand_in: StandIn, log: Path) -> None:
    waiting = {asyncio.create_task(process.wait()), asyncio.create_task(stand_in.connected())}
    try:
        done, _ = await asyncio.wait(waiting, timeout=START_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    if not done or process.returncode is not None:
        raise DemoError(with_log_tail("The bot did not start", log))


def _dying_with_us() -> list[str]:
    """What to put before a command so that it is stopped when this process is killed, where the system can do that."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def with_log_tail(what: str, log: Path) -> str:
    """A sentence, with the end of a log that says why."""
    end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_TOLD:]
    return "\n".join([f"{what}; {log} says:", *end])
