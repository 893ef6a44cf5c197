"""``python -m bench [NAME…]``: all benchmarks, or those named. A bar that is missed is said, and fails nothing."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import time

from bench.report import Row, missed, show

NAMES = (
    "embedding",
    "adding",
    "search",
    "startup",
    "memory",
    "importing",
    "lookalikes",
    "quality",
    "answering",
    "acknowledging",
    "killing",
    "workers",
    "nearest",
)


def main(names: list[str]) -> int:
    """Run them one after another; 2 for a name that is none of ours."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}.")
        return 2
    rows: list[Row] = []
    print(_machine())
    for name in names or NAMES:
        started = time.monotonic()
        print(f"— {name}", flush=True)
        measured: list[Row] = asyncio.run(importlib.import_module(f"bench.{name}").run()) or []
        if measured:
            show(measured)
        print(f"  ({time.monotonic() - started:.0f} s)\n", flush=True)
        rows += measured
    print(_machine())
    beyond = missed(rows)
    barred = sum(row.ok is not None for row in rows)
    if barred:
        print(f"{barred - len(beyond)} of {barred} bars are met." + "".join(f"\nMISSED: {row.what}" for row in beyond))
    return 0


def _machine() -> str:
    """Who else is at work: beyond the number of cores, trust the ratios and not the milliseconds."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} on average over the last minute"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
