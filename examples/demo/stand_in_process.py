"""Run the stand-in as a process that only this machine can reach."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from examples.demo import workspace
from examples.demo.errors import DemoError
from examples.demo.processes import ROOT, stopping
from examples.demo.stand_in import StandIn


def listening(port: int, tries: int = 40) -> socket.socket:
    """Return a listening loopback socket on this port or the next free one. 0 takes any port."""
    for candidate in range(port, port + tries) if port else (0,):
        visitors = socket.socket()
        # So that a restart gets the same port.
        visitors.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            visitors.bind(("127.0.0.1", candidate))
            visitors.listen()
        except OSError:
            visitors.close()
            continue
        return visitors
    raise DemoError(f"None of the ports {port} to {port + tries - 1} is free.")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        return int(any_socket.getsockname()[1])


@asynccontextmanager
async def running(
    program: Path, directory: Path, files: Path, *, port: int, network: Sequence[str] | None
) -> AsyncIterator[StandIn]:
    """Run the stand-in, and yield its API.

    ``network``: a command prefix that runs a program in a network namespace, or None.
    """
    config = directory / "workspace.json"
    config.write_text(json.dumps(workspace.configuration()), encoding="utf-8")
    visitors = listening(port)
    outer = int(visitors.getsockname()[1])
    # In a network namespace every port is free. The same number lets the page show the address that people use.
    inner = outer if network is not None else free_port()
    number = visitors.fileno()
    gate = [sys.executable, "-m", "examples.demo.gate", "--socket", str(number), "--port", str(inner)]
    gate += ["--front", str(directory / "front"), *(["--alone"] if network is not None else [])]
    serve = [str(program), "--config", str(config), "--port", str(inner)]
    serve += ["--base-host", "127.0.0.1", "--files-dir", str(files)]
    with visitors, (directory / "stand_in.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *(network or ()),
            *gate,
            "--",
            *serve,
            cwd=ROOT,
            pass_fds=(number,),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C goes to this process alone, which stops things in order
        )
    async with stopping(process), aiohttp.ClientSession() as session:
        stand_in = StandIn(f"http://127.0.0.1:{outer}", session)
        await stand_in.ready()
        yield stand_in
