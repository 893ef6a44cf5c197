"""Client for the stand-in: what its page can do, and Slack's own methods."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

import aiohttp

from examples.demo import workspace
from examples.demo.errors import DemoError

START_WITHIN_S = 30
ASK_AGAIN_S = 0.1

Message = dict[str, Any]


class StandIn:
    """Client for a running stand-in at ``address``."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self._session = session

    async def state(self) -> dict[str, Any]:
        """Return the people and channels."""
        return await self._asked("GET", "/_control/state")

    async def messages(self, channel: str) -> list[Message]:
        """Return all messages of a channel, oldest first."""
        answer = await self._asked("GET", f"/_control/messages/{channel}")
        return list(answer["messages"])

    async def say(self, channel: str, user: str, text: str, thread: str = "") -> Message:
        """Post a message as a person."""
        said = {"channel": channel, "user": user, "text": text} | ({"thread_ts": thread} if thread else {})
        return _message(await self._asked("POST", "/_control/message", json=said))

    async def share(
        self, channel: str, user: str, files: Sequence[tuple[str, bytes]], text: str = "", thread: str = ""
    ) -> Message:
        """Share files as a person, given as (name, bytes)."""
        form = aiohttp.FormData()
        for name, value in (("channel", channel), ("user", user), ("text", text), ("thread_ts", thread)):
            if value:
                form.add_field(name, value)
        for name, content in files:
            form.add_field("file", content, filename=name)
        return _message(await self._asked("POST", "/_control/upload", data=form))

    async def command(self, channel: str, user: str, text: str) -> None:
        """Send ``/vsearch …`` as a person."""
        typed = {"channel": channel, "user": user, "command": "/vsearch", "text": text}
        await self._asked("POST", "/_control/command", json=typed)

    async def react(self, channel: str, ts: str, user: str, name: str) -> None:
        """Add a person's reaction to a message."""
        await self._asked("POST", "/_control/reaction", json={"channel": channel, "ts": ts, "user": user, "name": name})

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call one of Slack's methods as the bot."""
        headers = {"Authorization": f"Bearer {workspace.BOT_TOKEN}"}
        answer = await self._asked("POST", f"/api/{method}", json=arguments, headers=headers)
        if not answer.get("ok"):
            raise DemoError(f"The stand-in refused {method}: {answer.get('error')}.")
        return answer

    async def news(self) -> AsyncGenerator[Mapping[str, Any], None]:
        """Yield what the page receives: first the whole state, then each change."""
        async with self._session.ws_connect(f"{self.address}/ui", max_msg_size=0) as page:
            async for item in page:
                if item.type is aiohttp.WSMsgType.TEXT:
                    yield json.loads(item.data)

    async def connected(self) -> None:
        """Wait until the bot is connected."""
        async with contextlib.aclosing(self.news()) as news:
            async for item in news:
                if item["t"] == "init" and item["state"]["apps"][0]["connected"]:
                    return
                if item["t"] == "socket_status" and item["connected"]:
                    return

    async def seen(self, channel: str, wanted: Callable[[Message], bool], within_s: float) -> Message:
        """Wait for a matching message. Raises DemoError if none comes in time."""
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            if found := next(filter(wanted, await self.messages(channel)), None):
                return found
            await asyncio.sleep(ASK_AGAIN_S)
        raise DemoError(
            f"The bot did not answer in #{workspace.CHANNELS.get(channel, channel)} within {within_s:.0f} s."
        )

    async def ready(self) -> None:
        """Wait until the stand-in answers. Raises DemoError."""
        ends = time.monotonic() + START_WITHIN_S
        while time.monotonic() < ends:
            with contextlib.suppress(aiohttp.ClientError):
                await self.state()
                return
            await asyncio.sleep(ASK_AGAIN_S)
        raise DemoError(f"The stand-in for Slack did not start within {START_WITHIN_S} s.")

    async def _asked(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        async with self._session.request(method, self.address + path, **given) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            return answer


def _message(answer: Mapping[str, Any]) -> Message:
    if not answer.get("ok"):
        raise DemoError(f"The stand-in refused a message: {answer.get('error')}.")
    return dict(answer["message"])
