"""kill -9 during deletions of every kind. ``bench deletions`` does more of this."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.slack import FakeSlack
from tests.scenario.support.deletion_scenario import DeletionScenario


async def test_kills_during_deletions_leave_nothing_behind(slack: FakeSlack, tmp_path: Path) -> None:
    slack.tolerate_silence()
    outcome = await DeletionScenario(slack, tmp_path / "data", seed=3).run(kills=6)
    assert outcome.faults == []
    assert outcome.kills == 6
    assert outcome.steps > 0
