"""Measure the time from a share to its answer: one share at a time, 10,000 images, a stand-in for Slack.

Runs with signed links, and with ``PUBLIC_BASE_URL`` unset, so that the bot uploads pictures that Slack has not shown.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.report import Row
from bench.whole_bot import bot_process, shares
from bench.whole_bot.stand_in import APP_TOKEN, StandIn

ROUNDS, WARM_UP = 60, 3
ANSWERED_WITHIN_S = 30.0
TARGET_S = 1.5


async def run() -> list[Row]:
    """Return the medians over HTTP and in Socket Mode."""
    data_dir = await shares.database()
    pictures = await asyncio.to_thread(lambda: list(shares.copies(2 * (ROUNDS + WARM_UP))))
    linked, uploaded = pictures[: len(pictures) // 2], pictures[len(pictures) // 2 :]
    async with StandIn() as slack:
        by_links = await _measure(slack, shares.over_http(slack, data_dir), linked, socket_mode=False)
    async with StandIn() as slack:
        settings = {**shares.over_http(slack, data_dir), "SLACK_APP_TOKEN": APP_TOKEN, "PUBLIC_BASE_URL": ""}
        by_uploads = await _measure(slack, settings, uploaded, socket_mode=True)
    return [
        _row("HTTP, pictures by links", by_links),
        _row("Socket Mode, pictures uploaded", by_uploads),
    ]


async def _measure(
    slack: StandIn, settings: Mapping[str, str], pictures: Sequence[bytes], *, socket_mode: bool
) -> list[float]:
    taken = []
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        async with bot_process.running("timed", Path(folder) / "notes", settings) as url:
            if socket_mode:
                await slack.until_connected()
            for content in pictures:
                message, body = slack.share(content)
                started = time.perf_counter()
                await (slack.send(body) if socket_mode else slack.post(url, body))
                await slack.until_answered([message], ANSWERED_WITHIN_S)
                taken.append(slack.answers[message][0] - started)
    return taken[WARM_UP:]


def _row(how: str, taken: Sequence[float]) -> Row:
    note = f"slowest of {len(taken)}: {max(taken):.2f} s"
    return Row(
        f"share to answer, p50, {shares.SIZE:,} images, {how}", statistics.median(taken), "s", limit=TARGET_S, note=note
    )
