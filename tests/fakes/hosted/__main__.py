"""Run the stand-in as a process: ``python -m tests.fakes.hosted --port 8475``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys

from tests.fakes.hosted.service import APP_KEY, DS_ID, HostedService


async def serve(service: HostedService) -> None:
    """Listen until the process is stopped. The first lines print the address, as settings."""
    async with service:
        for name, value in service.environment.items():
            sys.stdout.write(f"{name}={value}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Parse the options, and serve."""
    options = argparse.ArgumentParser(prog="python -m tests.fakes.hosted", description=__doc__)
    options.add_argument("--port", type=int, default=0, help="0: any that is free")
    options.add_argument("--app-key", default=APP_KEY)
    options.add_argument("--ds-id", default=DS_ID)
    options.add_argument("--calls-per-s", type=int, help="more are refused")
    options.add_argument("--one-database-only", action="store_true")
    given = options.parse_args()
    service = HostedService(**vars(given))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(service))


if __name__ == "__main__":
    main()
