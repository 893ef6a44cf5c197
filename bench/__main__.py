"""Run all benchmarks, or those named: ``python -m bench [NAME…]``. A missed target is printed and fails nothing."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import time

from bench.report import Row, missed, show

PACKAGES = {
    "embedding": "speed",
    "additions": "speed",
    "search": "speed",
    "startup": "whole_bot",
    "memory": "speed",
    "decoding": "speed",
    "imports": "speed",
    "lookalikes": "recognition",
    "quality": "recognition",
    "catalogue": "recognition",
    "hard": "recognition",
    "parts": "recognition",
    "learning": "recognition",
    "answers": "whole_bot",
    "comparisons": "whole_bot",
    "acknowledgement": "whole_bot",
    "unsigned": "whole_bot",
    "kills": "whole_bot",
    "history": "whole_bot",
    "backups": "whole_bot",
    "deletions": "speed",
    "workers": "speed",
    "nearest": "engines",
    "milvus": "engines",
    "find": "speed",
}
"""The package of each benchmark, in the order in which they run."""
FORMER_NAMES = {
    "adding": "additions",
    "importing": "imports",
    "answering": "answers",
    "acknowledging": "acknowledgement",
    "killing": "kills",
}
"""Names that earlier versions of docs/benchmarks.md gave. They are still accepted."""


def main(names: list[str]) -> int:
    """Run the benchmarks one after another. Return 0, or 2 if a name is unknown."""
    names = [FORMER_NAMES.get(name, name) for name in names]
    unknown = [name for name in names if name not in PACKAGES]
    if unknown:
        print(f"Unknown benchmark {', '.join(unknown)}. Choose from {', '.join(PACKAGES)}.")
        return 2
    rows: list[Row] = []
    print(_machine())
    for name in names or PACKAGES:
        started = time.monotonic()
        print(f"— {name}", flush=True)
        measured: list[Row] = asyncio.run(importlib.import_module(f"bench.{PACKAGES[name]}.{name}").run()) or []
        if measured:
            show(measured)
        print(f"  ({time.monotonic() - started:.0f} s)\n", flush=True)
        rows += measured
    print(_machine())
    misses = missed(rows)
    with_target = sum(row.ok is not None for row in rows)
    if with_target:
        print(f"{with_target - len(misses)} of {with_target} targets are met.")
    for row in misses:
        print(f"MISSED: {row.what}")
    return 0


def _machine() -> str:
    """Return the number of cores and the load.

    If the load exceeds the number of cores, trust the ratios and not the milliseconds.
    """
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} (average of the last minute)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
