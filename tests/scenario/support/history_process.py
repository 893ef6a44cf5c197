"""A process that imports a channel's history in children, and kills each of them at another moment.

Arguments: the data directory, the address of Slack's API, the bot's token, the number of kills, the seed. It forks, so
that the modules are loaded once. It prints how many children were killed, and the status of the import at the end.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.app.slack_app import build
from bot.config.settings import Settings
from bot.storage.sql.database import Database
from bot.storage.sql_storage import SqlStorage
from handlers.history import adding, progress, worker
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier

NUMBER = 1
"""The import's."""

MOST_MOMENTS = 24
"""Beginnings and ends of writes in a life, one of which is its last."""

LONGEST_LIFE_S = 60.0


def hurry() -> None:
    """Let the import begin at once, in small steps."""
    defaults = worker.HistoryWorker.run.__kwdefaults__
    assert defaults is not None
    defaults |= {"first_delay_s": 0.0, "poll_s": 0.01}
    progress.EVERY_S = 0.0
    adding.PICTURES_AT_ONCE = 4


def die_at(moment: int) -> None:
    """Kill this process at the beginning or end of a write to the database."""
    left, write = moment, Database.write

    async def counted(self: Database, work: Callable[..., Any], *, first: bool = False) -> Any:
        live_or_die()
        done: Awaitable[Any] = write(self, work, first=first)
        result = await done
        live_or_die()
        return result

    def live_or_die() -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    Database.write = counted  # type: ignore[method-assign]


async def live(settings: Settings) -> str:
    """Run a bot until the import is over, and return its status."""
    storage = await SqlStorage.open(settings.data_dir)
    visual = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=2**26)
    async with build(settings, storage=storage, visual=visual):
        async with asyncio.timeout(LONGEST_LIFE_S):
            while (given := await storage.history.get(NUMBER)) is None or given.status.is_active:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    await storage.close()
    return str(given.status)


def main(settings: Settings, kills: int, seed: int) -> None:
    """Let so many children die, and the last one live."""
    hurry()
    moments = random.Random(seed)
    killed = 0
    for moment in [*(moments.randint(1, MOST_MOMENTS) for _ in range(kills)), 0]:
        child = os.fork()
        if not child:
            with suppress(BaseException):
                if moment:
                    die_at(moment)
                print(asyncio.run(live(settings)), flush=True)  # noqa: T201 - the test reads it
                os._exit(0)
            os._exit(1)
        _, ended = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(ended)
    print(killed)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    folder, url, token, kills, seed = sys.argv[1:]
    given = {"VSEARCH_DATA_DIR": folder, "SLACK_API_URL": url, "SLACK_BOT_TOKEN": token}
    given |= {"VSEARCH_HISTORY_CALLS_PER_MIN": "1000000", "VSEARCH_READ_TEXT": "off", "VSEARCH_LOG_LEVEL": "error"}
    main(Settings.from_mapping(given), int(kills), int(seed))
