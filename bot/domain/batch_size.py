"""Sizes of batches that take about the same time each."""

from __future__ import annotations

_GROWTH = 2


class BatchSize:
    """Chooses the number of rows of the next batch by the time that the last one took.

    Args:
        target_s: Time that a batch should take, in seconds.
        first: Rows of the first batch.
        fewest: Minimum number of rows.
        most: Maximum number of rows.
    """

    def __init__(self, target_s: float, *, first: int, fewest: int, most: int) -> None:
        self._target_s = target_s
        self._rows = float(first)
        self._fewest = fewest
        self._most = most

    @property
    def rows(self) -> int:
        """The number of rows of the next batch."""
        return int(self._rows)

    def record(self, rows: int, seconds: float) -> None:
        """Adapt to a batch that took this long."""
        if rows:
            ideal = rows * self._target_s / max(seconds, 1e-6)
            self._rows = max(self._fewest, min(ideal, self._rows * _GROWTH, self._most))
