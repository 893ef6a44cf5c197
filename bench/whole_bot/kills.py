"""Count lost and doubled shares under kill -9 at random moments, over HTTP and in Socket Mode."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.report import Row
from tests.fakes.slack import FakeSlack
from tests.scenario.support.crash_scenario import CrashScenario

SHARES, KILLS = 200, 20
LOST_ANSWER_RATE = 0.05
"""Share of answers that Slack posts and then reports as failed."""
SEED = 20


async def run() -> list[Row]:
    """Run both modes with the same random seed."""
    return [*await _run_scenario("HTTP", over_http=True), *await _run_scenario("Socket Mode", over_http=False)]


async def _run_scenario(how: str, *, over_http: bool) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="vsearch-bench-") as folder:
        async with FakeSlack() as slack:
            scenario = CrashScenario(
                slack, Path(folder) / "data", over_http=over_http, seed=SEED, lost_answer_rate=LOST_ANSWER_RATE
            )
            outcome = await scenario.run(SHARES, KILLS)
            refused = slack.failures
    print(f"kills, {how}: {outcome.shares} shares, {outcome.kills} kills, {outcome.interrupted} jobs restarted")
    for fault in (*outcome.faults, *refused):
        print(f"kills, {how}: {fault}")
    return [
        Row(f"{KILLS} kills, {SHARES} shares, {how}: lost or doubled", len(outcome.faults), "faults", limit=0),
        Row(f"{KILLS} kills, {SHARES} shares, {how}: refused by Slack", len(refused), "calls", limit=0),
    ]
