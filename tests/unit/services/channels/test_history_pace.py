"""How fast histories are read, by a clock that tests advance."""

from __future__ import annotations

import pytest

from bot.blocks.wording.imports import duration, history_result, history_takes
from bot.domain.jobs import HistoryPage
from bot.services.channels.history_pace import CallPacer, PastWork, ReadingPace, estimated_messages
from tests.fakes.clock import Clock


def test_calls_of_a_minute_are_spaced_by_workspace_and_method() -> None:
    clock = Clock()
    pacer = CallPacer(2, clock)
    for _ in range(2):
        assert pacer.delay_s("T1", "history", is_limited=False) == 0
        clock.pass_by(10)
    assert pacer.delay_s("T1", "history", is_limited=False) == pytest.approx(40)
    assert pacer.delay_s("T1", "replies", is_limited=False) == 0
    assert pacer.delay_s("T2", "history", is_limited=False) == 0
    clock.pass_by(40)
    assert pacer.delay_s("T1", "history", is_limited=False) == 0


def test_limited_app_calls_once_a_minute() -> None:
    clock = Clock()
    pacer = CallPacer(45, clock)
    for _ in range(3):
        assert pacer.delay_s("T1", "history", is_limited=True) == 0
        clock.pass_by(1)
        assert pacer.delay_s("T1", "history", is_limited=True) == pytest.approx(59)
        clock.pass_by(59)


def test_clock_that_is_set_back_stops_no_call() -> None:
    clock = Clock()
    pacer = CallPacer(1, clock)
    assert pacer.delay_s("T1", "history", is_limited=False) == 0
    clock.pass_by(-3600)
    assert pacer.delay_s("T1", "history", is_limited=False) == 0


def test_time_is_estimated_from_the_newest_page() -> None:
    page = HistoryPage(count=15, reached="900.000000", cursor="more", is_limited=True)
    assert estimated_messages(page, 0, 1000) is None
    assert estimated_messages(page, 400, 1000) == 90
    assert estimated_messages(HistoryPage(count=7), 0, 1000) == 7
    assert ReadingPace.of(is_limited=True, calls_per_min=45).seconds(90, threads=2) == 8 * 60
    assert ReadingPace.of(is_limited=False, calls_per_min=45).messages_per_min == 9000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5, "less than a minute"),
        (100, "about a minute"),
        (300, "about 5 minutes"),
        (11 * 3600, "about 11 hours"),
        (3 * 86_400, "about 3 days"),
    ],
)
def test_durations_are_told_roughly(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_counts_agree_with_their_nouns() -> None:
    assert history_takes(1, 5) == "About 1 message takes less than a minute."
    assert history_takes(2000, 5) == "About 2,000 messages take less than a minute."
    assert history_result("done", 1, 1, 0, 0) == "*Past pictures added*: 1 picture from 1 message."


def test_past_work_counts_while_it_runs() -> None:
    work = PastWork()
    with work.adding(), work.adding():
        assert work.running == 2
    assert work.running == 0
