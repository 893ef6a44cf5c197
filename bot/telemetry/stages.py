"""Times the stages of a search."""

from __future__ import annotations

import time

from bot.domain.matches import Stage


class StageTimer:
    """Measures consecutive stages: each lasts from the end of the one before."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._stages: list[Stage] = []

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that ended, in their order."""
        return tuple(self._stages)

    def end(self, name: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        self._stages.append(Stage(name, now - self._last))
        self._last = now
