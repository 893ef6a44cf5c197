"""What a test can see of Slack, at once or as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from tests.fakes.slack.base import SOMEONE, StandInBase
from tests.fakes.slack.values import Call, Message, View
from tests.fakes.slack.web_api import scopes

Seen = TypeVar("Seen")


class Observations(StandInBase):
    """Reads, waits, forgives."""

    @property
    def failures(self) -> list[str]:
        """What real Slack would not have taken; empty at the end of a good test."""
        return self.state.failures

    @property
    def transcript(self) -> list[Message]:
        """Everything that can be read in Slack, oldest first."""
        return self.state.messages

    def forgive(self, part: str) -> None:
        """Strike the failures that say ``part``: the test brought them about. There must be one."""
        kept = [failure for failure in self.state.failures if part not in failure]
        assert len(kept) < len(self.state.failures), f"nothing like {part!r} among {self.state.failures}"
        self.state.failures[:] = kept

    def pass_time(self, seconds: float) -> None:
        """Triggers, response URLs, tokens and rate limits are so much older from now on."""
        self.state.passed += seconds

    def calls(self, method: str) -> list[Call]:
        """The app's calls of a method."""
        return [call for call in self.state.calls if call.method == method]

    @property
    def scopes_used(self) -> frozenset[str]:
        """Every scope that the app's calls needed."""
        return scopes.used(self.state)

    def replies(self, thread_ts: str) -> list[Message]:
        """What the bot said in a thread."""
        return [m for m in self.state.messages if m.thread_ts == thread_ts and m.user in self.state.bot_users]

    def current(self, message: Message) -> Message | None:
        """A message as it stands now; None if it is gone."""
        return self.state.find(message.channel, message.ts)

    def versions(self, message: Message) -> list[Message]:
        """Everything that a message was before it was edited, oldest first."""
        return [
            before for before, _ in self.state.edits if (before.channel, before.ts) == (message.channel, message.ts)
        ]

    def reactions(self, message: Message) -> list[str]:
        """The emoji at a message."""
        return [r.name for r in self.state.reactions if (r.channel, r.ts) == (message.channel, message.ts)]

    def views(self, user: str = SOMEONE) -> list[View]:
        """A person's open modals, the one on top last."""
        return list(self.state.stacks[user])

    def home(self, user: str = SOMEONE) -> View | None:
        """A person's Home tab; None if none was published."""
        return self.state.homes.get(user)

    async def wait_for(self, wanted: Callable[[Message], bool], *, timeout_s: float = 10) -> Message:
        """The first message that fits, as soon as it is there."""
        return await self._first(
            lambda: next((message for message in self.state.messages if wanted(message)), None), timeout_s
        )

    async def wait_until(self, condition: Callable[[], bool], *, timeout_s: float = 10) -> None:
        """Until messages, views, reactions, calls, acknowledgements and connections are as wanted."""
        async with asyncio.timeout(timeout_s), self.state.changed:
            await self.state.changed.wait_for(condition)

    async def _first(self, find: Callable[[], Seen | None], timeout_s: float) -> Seen:
        await self.wait_until(lambda: find() is not None, timeout_s=timeout_s)
        found = find()
        assert found is not None
        return found

    async def acknowledged(self, envelopes: int) -> None:
        """Until the bot has acknowledged so many."""
        await self.wait_until(lambda: len(self.state.acks) >= envelopes)

    async def wait_for_reply(self, channel: str, thread_ts: str, *, timeout_s: float = 10) -> Message:
        """The bot's first word in a thread."""
        return await self.wait_for(
            lambda m: m.channel == channel and m.thread_ts == thread_ts and m.user in self.state.bot_users,
            timeout_s=timeout_s,
        )

    async def wait_for_answer(self, *, to: str = SOMEONE, after: int = 0, timeout_s: float = 10) -> Message:
        """The bot's first word to one person alone, among the messages from number ``after`` on."""
        return await self.wait_for(lambda m: m.to == to and m in self.state.messages[after:], timeout_s=timeout_s)

    async def wait_for_edit(
        self, message: Message, wanted: Callable[[Message], bool] = lambda _: True, *, timeout_s: float = 10
    ) -> Message:
        """The message once it is another than this version of it and fits."""
        return await self.wait_for(
            lambda m: (m.channel, m.ts) == (message.channel, message.ts) and m != message and wanted(m),
            timeout_s=timeout_s,
        )

    async def wait_for_deletion(self, message: Message, *, timeout_s: float = 10) -> None:
        """Until a message is gone."""
        await self.wait_until(lambda: self.current(message) is None, timeout_s=timeout_s)

    async def wait_for_reaction(self, message: Message, name: str = "", *, timeout_s: float = 10) -> str:
        """An emoji at a message, or this one."""
        return await self._first(
            lambda: next((found for found in self.reactions(message) if name in {"", found}), None), timeout_s
        )

    async def wait_for_view(
        self, wanted: str | Callable[[View], bool] = "", *, user: str = SOMEONE, timeout_s: float = 10
    ) -> View:
        """The modal on top, once it fits: a callback id (any, if none is named), or a condition."""
        return await self._first(lambda: _fits(next(reversed(self.views(user)), None), wanted), timeout_s)

    async def wait_for_home(
        self, wanted: Callable[[View], bool] = lambda _: True, *, user: str = SOMEONE, timeout_s: float = 10
    ) -> View:
        """A person's Home tab, once it is there and fits."""
        return await self._first(lambda: _fits(self.home(user), wanted), timeout_s)

    async def wait_for_call(self, method: str, count: int = 1, *, timeout_s: float = 10) -> Call:
        """The last of so many calls of a method."""
        await self.wait_until(lambda: len(self.calls(method)) >= count, timeout_s=timeout_s)
        return self.calls(method)[count - 1]


def _fits(view: View | None, wanted: str | Callable[[View], bool]) -> View | None:
    if view is None:
        return None
    if isinstance(wanted, str):
        return view if wanted in {"", view.callback_id} else None
    return view if wanted(view) else None
