"""Serve a channel's history as Slack would: ``python -m bench.whole_bot.history_slack FOLDER MESSAGES``.

It has no rate limits. It runs in a process of its own, so that its processor time isn't counted as the bot's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from bench.samples.synthetic import KEY

CHANNEL, PAGE = "C0BENCH", 200
_ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def running(folder: Path, messages: int) -> AsyncIterator[str]:
    """Start the process and yield the address of its API. On exit, stop it."""
    command = [sys.executable, "-m", "bench.whole_bot.history_slack", str(folder), str(messages)]
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


class _Channel:
    """A channel whose messages carry the pictures of a folder at equal distances.

    The pictures are in memory: reading them here would take processor time from the bot, which Slack doesn't.
    """

    def __init__(self, paths: list[Path], messages: int) -> None:
        self._paths = paths
        self._contents = [path.read_bytes() for path in paths]
        self._messages = messages
        self._origin = ""

    async def serve(self) -> str:
        """Listen on 127.0.0.1 and return the address of the API."""
        app = web.Application()
        app.add_routes([web.route("*", "/api/{method}", self._call), web.get("/files/{number}", self._file)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return f"{self._origin}/api/"

    def _message(self, number: int) -> dict[str, Any]:
        said: dict[str, Any] = {"type": "message", "user": "U0ONE", "ts": f"1700000000.{number:06}", "text": "hello"}
        place, rest = divmod(number, self._messages // len(self._paths))
        if not rest and place < len(self._paths):
            path = self._paths[place]
            file = {
                "id": f"F{number:06}",
                "name": path.name,
                "mimetype": "image/jpeg",
                "size": len(self._contents[place]),
            }
            said["files"] = [file | {"url_private": f"{self._origin}/files/{place}"}]
        return said

    async def _call(self, request: web.Request) -> web.Response:
        sent = dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}
        if request.content_type == "application/json":
            sent |= json.loads(await request.text() or "{}")
        answer: dict[str, Any] = {"ok": True}
        match request.match_info["method"]:
            case "auth.test":
                answer |= {"team_id": KEY.workspace, "team": "Bench", "user_id": "UBOT", "bot_id": "BBOT"}
            case "conversations.info":
                answer["channel"] = {"id": CHANNEL, "is_channel": True, "is_private": False, "is_member": True}
            case "conversations.history":
                newest = self._messages - 1 - int(sent.get("cursor") or 0)
                numbers = range(newest, max(-1, newest - PAGE), -1)
                following = str(self._messages - 1 - newest + PAGE) if newest >= PAGE else ""
                answer |= {"messages": [self._message(number) for number in numbers], "has_more": bool(following)}
                answer["response_metadata"] = {"next_cursor": following}
            case "chat.getPermalink":
                ts = str(sent["message_ts"]).replace(".", "")
                answer["permalink"] = f"https://bench.slack.com/archives/{CHANNEL}/p{ts}"
            case _:
                answer |= {"channel": CHANNEL, "ts": "1700000001.000001", "members": []}
        return web.json_response(answer)

    async def _file(self, request: web.Request) -> web.Response:
        return web.Response(body=self._contents[int(request.match_info["number"])], content_type="image/jpeg")


async def _main(paths: list[Path], messages: int) -> None:
    print(await _Channel(paths, messages).serve(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sorted(Path(sys.argv[1]).iterdir()), int(sys.argv[2])))
