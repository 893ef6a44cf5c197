"""kill -9 at any moment: each image is kept once, each share is answered once. ``bench killing`` does more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.slack import FakeSlack
from tests.scenario.killing import Drill


@pytest.mark.parametrize(("over_http", "seed"), [(True, 1), (False, 2)], ids=["http", "socket_mode"])
async def test_killed_again_and_again_it_keeps_and_answers_each_share_once(
    slack: FakeSlack, tmp_path: Path, over_http: bool, seed: int
) -> None:
    outcome = await Drill(slack, tmp_path / "data", over_http=over_http, seed=seed).run(shares=40, kills=6)
    assert outcome.faults == []
    assert (outcome.shares, outcome.kills) == (40, 6)
    assert outcome.interrupted > 0
