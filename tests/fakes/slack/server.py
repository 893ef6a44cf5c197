"""The stand-in itself: start it, upload pictures, type commands, read what came back."""

from __future__ import annotations

import asyncio
import mimetypes
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.fakes.slack.files import file_info
from tests.fakes.slack.hosting import FileHosting, ResponseUrls
from tests.fakes.slack.socket_mode import SocketMode
from tests.fakes.slack.state import Channel, HostedFile, Json, Message, ResponseUrl, State
from tests.fakes.slack.web_api import WebApi

GENERAL = "C0GENERAL"
SOMEONE = "U0SOMEONE"
HOST = "127.0.0.1"


class FakeSlack:
    """An async context manager: inside, it listens on 127.0.0.1 and a bot can connect to ``api_url``."""

    def __init__(self) -> None:
        self.state = State()
        self.socket_mode = SocketMode(self.state)
        self.response_urls = ResponseUrls(self.state)
        self.other_origin = ""
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        """Listen on two ports: Slack, and another origin that it redirects downloads to if asked."""
        routes = [*WebApi(self.state).routes(), *self.socket_mode.routes(), *self.response_urls.routes()]
        self.state.base_url = await self._listen([*routes, *FileHosting(self.state).routes()])
        self.other_origin = await self._listen(FileHosting(self.state, is_redirect_target=True).routes())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up and stop listening."""
        await self.socket_mode.close()
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(self, routes: list[web.AbstractRouteDef]) -> str:
        app = web.Application(client_max_size=64 * 1024**2)
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        port = runner.addresses[0][1]
        return f"http://{HOST}:{port}/"

    @property
    def api_url(self) -> str:
        """For SLACK_API_URL."""
        return f"{self.state.base_url}api/"

    @property
    def environment(self) -> dict[str, str]:
        """The settings that make a bot talk to this stand-in."""
        return {
            "SLACK_API_URL": self.api_url,
            "SLACK_BOT_TOKEN": self.state.bot_token,
            "SLACK_APP_TOKEN": self.state.app_token,
        }

    @property
    def failures(self) -> list[str]:
        """What real Slack would not have taken; empty at the end of a good test."""
        return self.state.failures

    @property
    def transcript(self) -> list[Message]:
        """Everything that can be read in Slack, oldest first."""
        return self.state.messages

    def replies(self, thread_ts: str) -> list[Message]:
        """What the bot said in a thread."""
        return [m for m in self.state.messages if m.thread_ts == thread_ts and m.user == self.state.bot_user]

    def add_channel(self, identifier: str, name: str, *, private: bool = False, bot_is_member: bool = True) -> None:
        """Open a conversation."""
        self.state.channels[identifier] = Channel(identifier, name, private, bot_is_member)

    def refuse_next(self, method: str, error: str, *, status: int = 200, retry_after_s: int | None = None) -> None:
        """Let the next call of a method fail."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self.state.planned[method].append((status, {"ok": False, "error": error}, headers))

    def host(self, content: bytes, name: str = "picture.png", **changes: object) -> HostedFile:
        """Keep a file, as an upload does; ``changes`` go into its file object."""
        identifier = f"F{self.state.number():04d}"
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        info = file_info(self.state, identifier, name, kind, content) | changes
        file = HostedFile(identifier, name, content, info)
        self.state.files[identifier] = file
        return file

    async def upload(
        self,
        *images: bytes | HostedFile,
        channel: str = GENERAL,
        user: str = SOMEONE,
        text: str = "",
        thread_ts: str = "",
        redeliveries: int = 0,
        twins: int = 0,
    ) -> Message:
        """Share files; the bot gets ``message`` with subtype file_share and a ``file_shared`` for each.

        ``redeliveries`` repeat the message's event under its own event id, as Slack does when it doubts that the
        first arrived; ``twins`` repeat it under new ones, as a second subscription does.
        """
        files = [image if isinstance(image, HostedFile) else self.host(image) for image in images]
        message = await self.state.post(Message(channel, self.state.ts(), user, text, thread_ts=thread_ts))
        event: Json = {
            "type": "message",
            "subtype": "file_share",
            "text": text,
            "user": user,
            "channel": channel,
            "channel_type": "group" if self.state.channels[channel].private else "channel",
            "ts": message.ts,
            "event_ts": message.ts,
            "files": [file.stub or file.info for file in files],
            "upload": False,
            "display_as_bot": False,
        }
        if thread_ts:
            event["thread_ts"] = thread_ts
        payload = self._event(event)
        for _ in range(redeliveries + 1):
            self.socket_mode.deliver("events_api", payload)
        for _ in range(twins):
            self.socket_mode.deliver("events_api", self._event(event))
        for file in files:
            shared = {"type": "file_shared", "file_id": file.id, "user_id": user, "channel_id": channel}
            self.event(shared | {"file": {"id": file.id}, "event_ts": message.ts})
        return message

    def event(self, event: Json) -> asyncio.Task[None]:
        """Deliver any event; the task ends when it is acknowledged or given up."""
        return self.socket_mode.deliver("events_api", self._event(event))

    def _event(self, event: Json) -> Json:
        state = self.state
        authorization = {"team_id": state.team, "user_id": state.bot_user, "is_bot": True, "enterprise_id": None}
        return {
            "token": "verification-token",
            "team_id": state.team,
            "api_app_id": state.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{state.number():06d}",
            "event_time": int(time.time()),
            "authorizations": [authorization | {"is_enterprise_install": False}],
            "is_ext_shared_channel": False,
        }

    def command(
        self, text: str, *, channel: str = GENERAL, user: str = SOMEONE, name: str = "/vsearch"
    ) -> asyncio.Task[None]:
        """Type a slash command; the task ends when it is acknowledged or has failed."""
        identifier = f"{self.state.number()}"
        self.state.response_urls[identifier] = ResponseUrl(channel, user, self.response_urls.clock())
        return self.socket_mode.deliver(
            "slash_commands",
            {
                "token": "verification-token",
                "team_id": self.state.team,
                "team_domain": "fake",
                "channel_id": channel,
                "channel_name": self.state.channels[channel].name,
                "user_id": user,
                "user_name": "someone",
                "command": name,
                "text": text,
                "api_app_id": self.state.app_id,
                "is_enterprise_install": "false",
                "response_url": f"{self.state.base_url}commands/{identifier}",
                "trigger_id": f"trigger-{identifier}",
            },
        )

    async def wait_for(self, wanted: Callable[[Message], bool], *, timeout_s: float = 10) -> Message:
        """The first message that fits, as soon as it is there."""

        def found() -> Message | None:
            return next((message for message in self.state.messages if wanted(message)), None)

        await self.wait_until(lambda: found() is not None, timeout_s=timeout_s)
        message = found()
        assert message is not None
        return message

    async def wait_until(self, condition: Callable[[], bool], *, timeout_s: float = 10) -> None:
        """Until messages, acknowledgements and connections are as wanted."""
        async with asyncio.timeout(timeout_s), self.state.changed:
            await self.state.changed.wait_for(condition)

    async def acknowledged(self, envelopes: int) -> None:
        """Until the bot has acknowledged so many."""
        await self.wait_until(lambda: len(self.state.acks) >= envelopes)

    async def wait_for_reply(self, channel: str, thread_ts: str, *, timeout_s: float = 10) -> Message:
        """The bot's first word in a thread."""
        return await self.wait_for(
            lambda m: m.channel == channel and m.thread_ts == thread_ts and m.user == self.state.bot_user,
            timeout_s=timeout_s,
        )

    async def wait_for_answer(self, *, to: str = SOMEONE, after: int = 0, timeout_s: float = 10) -> Message:
        """The bot's first word to one person alone, among the messages from number ``after`` on."""
        return await self.wait_for(lambda m: m.to == to and m in self.state.messages[after:], timeout_s=timeout_s)
