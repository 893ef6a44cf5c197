"""The demo's processes: start and stop the bot."""

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

INBOX_EMPTY = "vsearch_inbox_jobs 0.0"
"""Line of the bot's metrics when its inbox is empty."""


@asynccontextmanager
async def stopping(process: Process) -> AsyncIterator[None]:
    """Stop the program on exit: ask it to end, and kill it if it does not, or if this task is cancelled meanwhile."""
    try:
        yield
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            await _kill(process)
        except asyncio.CancelledError:
            # A program whose standard input we hold ends by itself, with its own children, when that is closed.
            if process.stdin is None:
                await _kill(process)
            raise
        finally:
            if process.stdin is not None:
                process.stdin.close()


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def run(environment: Mapping[str, str], log: Path, *arguments: str) -> None:
    """Run one command of the bot's command line. Raises DemoError."""
    with log.open("a") as stream:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *arguments, env=environment, cwd=ROOT, stdout=stream, stderr=stream
        )
        async with stopping(process):
            await process.wait()
    if process.returncode:
        raise DemoError(with_log_tail(f"“python -m bot {arguments[0]}” failed", log))


class Bot:
    """A bot in its own process, with its HTTP server at ``address``."""

    def __init__(self, process: Process, address: str, session: aiohttp.ClientSession) -> None:
        self._process = process
        self.address = address
        self._session = session

    async def ended(self) -> int:
        """Wait until the process ends, and return its exit code."""
        return await self._process.wait()

    async def until_idle(self) -> None:
        """Wait until the bot has handled all events. Raises DemoError."""
        ends = time.monotonic() + WORK_WITHIN_S
        while time.monotonic() < ends:
            async with self._session.get(f"{self.address}/metrics") as response:
                if INBOX_EMPTY in (await response.text()).splitlines():
                    return
            await asyncio.sleep(ASK_AGAIN_S)
        raise DemoError(f"The bot did not finish within {WORK_WITHIN_S} s.")


@asynccontextmanager
async def bot(environment: Mapping[str, str], stand_in: StandIn, log: Path) -> AsyncIterator[Bot]:
    """Run the bot, and yield it once it is connected."""
    with log.open("a") as stream:
        process = await asyncio.create_subprocess_exec(
            *_parent_death_prefix(),
            sys.executable,
            "-m",
            "bot",
            env=environment,
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
            start_new_session=True,  # Ctrl-C goes to this process alone, which stops things in order
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


def _parent_death_prefix() -> list[str]:
    """Return a command prefix that ends a program when this process is killed, on systems that have one."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


def with_log_tail(what: str, log: Path) -> str:
    """Return the sentence with the last lines of a log, which give the reason."""
    end = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LINES_TOLD:]
    return "\n".join([f"{what}; {log} says:", *end])
