"""Measure how soon Slack gets its acknowledgements at its highest rate, while the bot does the work that they cause.

For two minutes, somebody shares an edited copy of a picture in the database every 0.12 s (30,000 an hour). Half-way to
the next share, a bare Bolt app behind the same server gets the same delivery, so that both run under the same load.
``SqlInbox.put`` is timed inside the bot's process, and that time is subtracted from the acknowledgement of the same
share before the two are compared.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.report import Row
from bench.whole_bot import bot_process, shares
from bench.whole_bot.stand_in import ACKNOWLEDGE_WITHIN_S, APP_TOKEN, StandIn

EVERY_S = 3600 / 30_000
FOR_S = 120.0
WARM_UP = 20
DRAINED_WITHIN_S = 300.0
P99_TARGET_S, SLOWEST_TARGET_S, RATIO_TARGET = 0.3, ACKNOWLEDGE_WITHIN_S, 1.5

Deliver = Callable[[bytes], Awaitable[float]]


@dataclass(slots=True)
class Latencies:
    """Timings of one run: seconds to each acknowledgement by message, and when each message was shared."""

    ours: dict[str, float] = field(default_factory=dict)
    bare: list[float] = field(default_factory=list)
    shared: dict[str, float] = field(default_factory=dict)


async def run() -> list[Row]:
    """Measure HTTP next to the bare app, then Socket Mode alone."""
    data_dir = await shares.database()
    pictures = await asyncio.to_thread(lambda: list(shares.copies(int(FOR_S / EVERY_S) + WARM_UP)))
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as name:
        over_http = await _over_http(data_dir, Path(name), pictures)
        return over_http + await _in_socket_mode(data_dir, Path(name), pictures)


async def _over_http(data_dir: Path, folder: Path, pictures: Sequence[bytes]) -> list[Row]:
    notes = folder / "http"
    async with StandIn() as slack:
        settings, bare_settings = shares.over_http(slack, data_dir), shares.over_http(slack, folder / "bare")
        async with (
            bot_process.running("bare", folder / "nothing", bare_settings) as bare,
            bot_process.running("timed", notes, settings) as ours,
        ):
            taken = await load(
                slack, pictures, lambda body: slack.post(ours, body), lambda body: slack.post(bare, body)
            )
            measured = rows("HTTP", taken, slack, await lost(slack, taken))
    written = bot_process.writes(notes)
    without = [seconds - written[message] for message, seconds in taken.ours.items()]
    print(f"acknowledgement, the durable write: {_spread([written[message] for message in taken.ours])}")
    print(f"acknowledgement, a bare Bolt app: {_spread(taken.bare)}")
    peer = statistics.median(taken.bare) * 1000
    compared = Row(
        "acknowledgement over HTTP, p50 without the write",
        statistics.median(without) * 1000,
        "ms",
        peer,
        "bare Bolt app",
        RATIO_TARGET,
    )
    return [*measured, compared]


async def _in_socket_mode(data_dir: Path, folder: Path, pictures: Sequence[bytes]) -> list[Row]:
    async with StandIn() as slack:
        settings = dict(shares.over_http(slack, data_dir)) | {"SLACK_APP_TOKEN": APP_TOKEN}
        async with bot_process.running("timed", folder / "socket", settings):
            await slack.until_connected()
            taken = await load(slack, pictures, slack.send)
            return rows("Socket Mode", taken, slack, await lost(slack, taken))


async def load(
    slack: StandIn, pictures: Sequence[bytes], deliver: Deliver, deliver_to_bare: Deliver | None = None
) -> Latencies:
    """Share the pictures at Slack's highest rate, after a warm-up, and return the timings."""
    taken = Latencies()
    pending = [
        asyncio.create_task(_share(slack, content, deliver, None, Latencies())) for content in pictures[:WARM_UP]
    ]
    await asyncio.gather(*pending)
    started = time.perf_counter()
    for number, content in enumerate(pictures[WARM_UP:]):
        await asyncio.sleep(started + number * EVERY_S - time.perf_counter())
        pending.append(asyncio.create_task(_share(slack, content, deliver, deliver_to_bare, taken)))
    await asyncio.gather(*pending)
    return taken


async def _share(
    slack: StandIn, content: bytes, deliver: Deliver, deliver_to_bare: Deliver | None, taken: Latencies
) -> None:
    message, body = slack.share(content)
    taken.shared[message] = time.perf_counter()
    taken.ours[message] = await deliver(body)
    if deliver_to_bare is not None:
        await asyncio.sleep(taken.shared[message] + EVERY_S / 2 - time.perf_counter())
        taken.bare.append(await deliver_to_bare(body))


async def lost(slack: StandIn, taken: Latencies) -> int:
    """Count the shares that did not get exactly one answer."""
    try:
        await slack.until_answered(list(taken.shared), DRAINED_WITHIN_S)
    except TimeoutError:
        print(f"acknowledgement: not everything was answered within {DRAINED_WITHIN_S:g} s")
    return sum(len(slack.answers.get(message, ())) != 1 for message in taken.shared)


def rows(how: str, taken: Latencies, slack: StandIn, unanswered: int) -> list[Row]:
    """Return the measured values of one run."""
    ours = sorted(taken.ours.values())
    answered = [slack.answers[m][0] - moment for m, moment in taken.shared.items() if m in slack.answers]
    print(f"acknowledgement, {how}: {len(ours)} shares, {_spread(ours)}")
    print(f"acknowledgement, {how}, share to answer: {_spread(answered)}")
    return [
        Row(f"acknowledgement, {how}, p99", _at(ours, 0.99) * 1000, "ms", limit=P99_TARGET_S * 1000),
        Row(f"acknowledgement, {how}, slowest", ours[-1] * 1000, "ms", limit=SLOWEST_TARGET_S * 1000),
        Row(f"shares, {how}, not answered exactly once", unanswered, "shares", limit=0),
    ]


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _spread(seconds: Sequence[float]) -> str:
    ordered = [1000 * value for value in sorted(seconds)]
    return f"p50 {_at(ordered, 0.5):.1f} ms, p99 {_at(ordered, 0.99):.1f} ms, slowest {ordered[-1]:.1f} ms"
