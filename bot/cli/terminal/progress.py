"""Progress with rate and remaining time, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from bot.cli.terminal.output import console, print_remark

_PLAIN_EVERY_S = 10.0


class _RateColumn(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "–/s", style="progress.data.speed")


class ProgressLine:
    """Shows a progress bar on a terminal; elsewhere, such as in a log, prints a line every 10 seconds."""

    def __init__(self, label: str) -> None:
        target = console(sys.stderr)
        self._bar: Progress | None = None
        if target.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _RateColumn(),
                TimeRemainingColumn(),
            )
            self._bar = Progress(*columns, console=target, transient=True)
            self._task = self._bar.add_task(label, total=None)
        self._label = label
        self._started = self._shown_at = time.monotonic()

    def update(self, done: int, total: int | None) -> None:
        """Show the number of finished items; ``total`` is None if unknown."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)
            return
        now = time.monotonic()
        if now - self._shown_at >= _PLAIN_EVERY_S:
            self._shown_at = now
            print_remark(plain_line(self._label, done, total, now - self._started))

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()


def plain_line(label: str, done: int, total: int | None, seconds: float) -> str:
    """Format progress as text: ``Importing: 1,200 of 5,000, 54/s, 70 s left``."""
    rate = done / seconds if seconds > 0 else 0.0
    line = f"{label}: {done:,}" + (f" of {total:,}" if total is not None else "") + f", {rate:,.0f}/s"
    if total is not None and rate > 0:
        line += f", {(total - done) / rate:,.0f} s left"
    return line
