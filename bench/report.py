"""Print benchmark results: one line per measurement, with its peer, ratio and target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class TargetSide(StrEnum):
    """Whether a value must stay below or above its target."""

    AT_MOST = "≤"
    AT_LEAST = "≥"


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. ``peer`` was measured in the same run. With a peer, the limit applies to the ratio."""

    what: str
    measured: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    limit: float | None = None
    side: TargetSide = TargetSide.AT_MOST
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Measured value divided by the peer's."""
        return self.measured / self.peer if self.peer else None

    @property
    def ok(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.limit is None:
            return None
        value = self.measured if self.ratio is None else self.ratio
        return value <= self.limit if self.side is TargetSide.AT_MOST else value >= self.limit


HEADINGS = ("what", "measured", "peer", "ratio", "target", "", "")


def show(rows: Iterable[Row]) -> None:
    """Print the rows as a table."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    for line in cells:
        print("  ".join(_padded(line, widths)).rstrip(), flush=True)


def missed(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows that miss their target."""
    return tuple(row for row in rows if row.ok is False)


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    for column, (cell, width) in enumerate(zip(line, widths, strict=True)):
        yield cell.rjust(width) if column in {1, 3} else cell.ljust(width)


def _cells(row: Row) -> tuple[str, ...]:
    peer = f"{_number(row.peer)} {row.unit} {row.peer_name}" if row.peer is not None else row.peer_name
    ratio = f"{row.ratio:.2f} ×" if row.ratio is not None else ""
    target = (
        f"{row.side} {row.limit:g}{' ×' if row.ratio is not None else f' {row.unit}'}" if row.limit is not None else ""
    )
    verdict = {None: "", True: "met", False: "MISSED"}[row.ok]
    return row.what, f"{_number(row.measured)} {row.unit}", peer, ratio, target, verdict, row.note


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
