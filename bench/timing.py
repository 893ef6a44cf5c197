"""Times things in turns, so that a noisy machine is noisy for all of them alike."""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

Call = Callable[[], Awaitable[object]] | Callable[[], object]


async def in_turns(calls: Mapping[str, Call], rounds: int, warm_up: int = 3) -> dict[str, list[float]]:
    """Milliseconds of each call. Whoever comes first in one round comes last in the next."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-warm_up, rounds):
        names = list(calls) if number % 2 else list(calls)[::-1]
        for name in names:
            started = time.perf_counter()
            answer = calls[name]()
            if inspect.isawaitable(answer):
                await answer
            spent = (time.perf_counter() - started) * 1000
            if number >= 0:
                taken[name].append(spent)
    return taken


def medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    """The middle of each."""
    return {name: statistics.median(times) for name, times in taken.items()}
