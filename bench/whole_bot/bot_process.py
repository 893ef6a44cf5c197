"""Run a bot as a process of its own: ``python -m bench.whole_bot.bot_process timed|bare FILE``.

``timed`` is the bot itself. It writes to FILE how long the inbox took to store each share. ``bare`` is the smallest
possible Bolt app: it verifies signatures, and its one listener does nothing.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bot.config.settings import Settings

_ROOT = Path(__file__).parents[2]
_STARTS_WITHIN_S = 60


@asynccontextmanager
async def running(what: str, notes: Path, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """Start the process and yield its request URL. On exit, send SIGTERM and wait."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT), **settings}
    command = [sys.executable, "-m", "bench.whole_bot.bot_process", what, str(notes)]
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=notes.parent)
    origin = f"http://127.0.0.1:{settings['PORT']}"
    try:
        await _listens(origin, process)
        yield f"{origin}/slack/events"
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _listens(origin: str, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(_STARTS_WITHIN_S):
        while process.returncode is None:
            try:
                async with session.get(f"{origin}/healthz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise RuntimeError(f"The bot ended with {process.returncode} instead of listening.")


def writes(notes: Path) -> dict[str, float]:
    """Return the seconds that storing each message took. For a message delivered twice, the first one counts."""
    lines = [line.split() for line in notes.read_text().splitlines()]
    return {message: float(seconds) for message, seconds in reversed(lines)}


def _timed(notes: Path, settings: Settings) -> None:
    from bot.app.bot_server import serve  # noqa: PLC0415
    from bot.domain.jobs import NewJob  # noqa: PLC0415 - each process loads its own half
    from bot.storage.inbox.inbox import SqlInbox  # noqa: PLC0415

    put = SqlInbox.put
    with notes.open("w") as file:

        async def timed(self: SqlInbox, job: NewJob) -> bool:
            started = time.perf_counter()
            kept = await put(self, job)
            file.write(f"{job.message} {time.perf_counter() - started:.6f}\n")
            return kept

        SqlInbox.put = timed  # type: ignore[method-assign]
        serve(settings)


async def _bare(settings: Settings) -> None:
    from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler  # noqa: PLC0415 - as above
    from slack_bolt.app.async_app import AsyncApp  # noqa: PLC0415
    from slack_sdk.web.async_client import AsyncWebClient  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    from bot.web import serving  # noqa: PLC0415

    client = AsyncWebClient(settings.slack_bot_token, settings.slack_api_url)
    app = AsyncApp(client=client, signing_secret=settings.slack_signing_secret)

    @app.event("message")
    async def nothing() -> None:
        pass

    handler = AsyncSlackRequestHandler(app)
    web = Starlette(routes=[Route("/slack/events", handler.handle, methods=["POST"])])
    async with serving(web, *settings.listen_address):
        await asyncio.Event().wait()


def main(what: str, notes: Path) -> None:
    """Run one of the two programs until SIGTERM."""
    settings = Settings.from_mapping(os.environ)
    if what == "timed":
        _timed(notes, settings)
    else:
        asyncio.run(_bare(settings))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
