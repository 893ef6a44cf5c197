"""A process that handles presses of reports' buttons in children, and kills each of them at another moment.

Arguments: the data directory, the address of Slack's API, the bot's token. It reads presses as JSON. The first child is
killed at its first moment, the second at its second, and so on; the last one handles all presses again, and lives. It
prints how many children were killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from slack_bolt.request.async_request import AsyncBoltRequest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.app.slack_app import build
from bot.config.settings import Settings
from bot.storage.sql_storage import SqlStorage
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier
from tests.scenario.support.history_process import die_at


async def handle(settings: Settings, presses: Sequence[dict[str, Any]], moment: int) -> None:
    """Run a bot, and handle presses. Unless the moment is 0, die at it."""
    storage = await SqlStorage.open(settings.data_dir)
    visual = EmbeddedSearch(storage.vectors, FakeFeatureExtractor(), FakeVerifier(), index_memory_bytes=2**26)
    async with build(settings, storage=storage, visual=visual) as app:
        if moment:
            die_at(moment)
        for press in presses:
            await app.bolt.async_dispatch(AsyncBoltRequest(body=press, mode="socket_mode"))
        await app.wrapper.drain(10)
    await storage.close()


def main(settings: Settings, presses: Sequence[dict[str, Any]]) -> None:
    """Let a child die for each press, and the last one live."""
    killed = 0
    for moment in [*range(1, len(presses) + 1), 0]:
        child = os.fork()
        if not child:
            with suppress(BaseException):
                asyncio.run(handle(settings, presses[moment - 1 : moment] if moment else presses, moment))
                os._exit(0)
            os._exit(1)
        _, ended = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(ended)
    print(killed)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    folder, url, token = sys.argv[1:]
    given = {"VSEARCH_DATA_DIR": folder, "SLACK_API_URL": url, "SLACK_BOT_TOKEN": token, "VSEARCH_READ_TEXT": "off"}
    main(Settings.from_mapping(given), json.load(sys.stdin))
