"""Time calls alternately, so that noise on a busy machine affects all of them alike."""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

Call = Callable[[], Awaitable[object]] | Callable[[], object]


async def time_alternately(
    calls: Mapping[str, Call], rounds: int, warm_up: int = 3, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Return the milliseconds of each call, per name. The order of the calls is reversed every round.

    With ``time.process_time`` as the clock, they are milliseconds of CPU, summed over all threads.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-warm_up, rounds):
        names = list(calls) if number % 2 else list(calls)[::-1]
        for name in names:
            started = clock()
            answer = calls[name]()
            if inspect.isawaitable(answer):
                await answer
            spent = (clock() - started) * 1000
            if number >= 0:
                taken[name].append(spent)
    return taken


def medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of each list."""
    return {name: statistics.median(times) for name, times in taken.items()}
