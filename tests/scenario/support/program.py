"""The real program as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]
DEADLINE_S = 30
STARTS_WITHIN_S = 120
"""For a busy machine, on which several are started at once."""


@dataclass
class Program:
    """A running bot. ``errors`` is its error output, complete once it has ended."""

    process: Process
    errors: str = ""

    async def wait_until_listening(self, url: str) -> None:
        """Wait until the program answers at a URL."""
        async with httpx.AsyncClient() as client, asyncio.timeout(STARTS_WITHIN_S):
            while True:
                assert self.process.returncode is None, await self.end(None)
                try:
                    await client.get(f"{url}/healthz")
                except httpx.HTTPError:
                    await asyncio.sleep(0.02)
                else:
                    return

    async def end(self, how: signal.Signals | None = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        if how is not None and self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(STARTS_WITHIN_S):
            _, errors = await self.process.communicate()
        self.errors = errors.decode()
        return self.process.returncode or 0


@asynccontextmanager
async def program(settings: Mapping[str, str], *arguments: str) -> AsyncIterator[Program]:
    """Start the program with only these settings, in a directory without ``.env``.

    If it still runs at the end of the context, it is killed.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": settings["VSEARCH_DATA_DIR"],
        **settings,
    }
    folder = next(path for path in Path(settings["VSEARCH_DATA_DIR"]).parents if path.is_dir())
    command = [sys.executable, "-m", "bot", *arguments]
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=folder, stdout=PIPE, stderr=PIPE)
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
