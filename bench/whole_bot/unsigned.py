"""Measure unsigned requests: the loop's longest turn for each, and acknowledgements while they arrive.

A turn is measured in CPU time of the loop's own thread, so that other work on the machine doesn't count. Then the bot
gets signed shares at Slack's highest rate over HTTP, while a few clients in other processes send one unsigned request
after another.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bench.report import Row
from bench.whole_bot import acknowledgement, bot_process, shares
from bench.whole_bot.stand_in import StandIn
from tests.unit.web.measured_server import measured_server
from tests.unit.web.unsigned_requests import REQUESTS, open_many, send
from tests.unit.web.web_application import WebClient

STALL_TARGET_MS = 20.0
FOR_S = 30.0
FLOODERS = 4
CONNECTIONS = 2000


async def run() -> list[Row]:
    """Measure each request alone, then all of them while Slack delivers."""
    return await asyncio.to_thread(_stalls) + await _acknowledgements()


def _stalls() -> list[Row]:
    async def accept(_request: Request) -> Response:
        return PlainTextResponse("ok")

    rows = []
    with measured_server(WebClient(slack=accept, install=accept, oauth_redirect=accept).app) as (loop, address):
        send(address, REQUESTS["pipelined requests"]())
        for name, make in REQUESTS.items():
            content = make()
            loop.longest_s = 0.0
            send(address, content)
            rows.append(Row(f"longest turn, {name}", 1000 * loop.longest_s, "ms", limit=STALL_TARGET_MS))
        loop.longest_s = 0.0
        for connection in open_many(address, 900):
            connection.close()
        rows.append(Row("longest turn, 900 connections", 1000 * loop.longest_s, "ms", limit=STALL_TARGET_MS))
    return rows


async def _acknowledgements() -> list[Row]:
    data_dir = await shares.database()
    number = int(FOR_S / acknowledgement.EVERY_S) + acknowledgement.WARM_UP
    pictures = await asyncio.to_thread(lambda: list(shares.copies(number)))
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as name:
        async with StandIn() as slack:
            settings = shares.over_http(slack, data_dir)
            async with bot_process.running("timed", Path(name) / "notes", settings) as url:
                return await _while_flooded(slack, url, pictures)


async def _while_flooded(slack: StandIn, url: str, pictures: list[bytes]) -> list[Row]:
    parts = urlsplit(url)
    address = str(parts.hostname), int(parts.port or 0)
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    flooders = [context.Process(target=_flood, args=(address, stop)) for _ in range(FLOODERS)]
    for flooder in flooders:
        flooder.start()
    try:
        taken = await acknowledgement.load(slack, pictures, lambda body: slack.post(url, body))
    finally:
        stop.set()
        for flooder in flooders:
            await asyncio.to_thread(flooder.join)
    return acknowledgement.rows("HTTP under unsigned floods", taken, slack, await acknowledgement.lost(slack, taken))


def _flood(address: tuple[str, int], stop: Event) -> None:
    # Whoever floods a bot has processors of their own. Here they share one, so that the bot is not starved by them.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    contents = [make() for make in REQUESTS.values()]
    while not stop.is_set():
        idle = open_many(address, CONNECTIONS // FLOODERS)
        for content in contents:
            if not stop.is_set():
                send(address, content, timeout_s=2.0)
        for connection in idle:
            connection.close()
