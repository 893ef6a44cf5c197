"""What a test can observe in Slack, with or without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from tests.fakes.slack.base import SOMEONE, StandInBase
from tests.fakes.slack.values import Call, Message, View
from tests.fakes.slack.web_api import scopes

Seen = TypeVar("Seen")

DEADLINE_S = 30
"""For a busy machine. Only a test that fails waits for so long."""


class Observations(StandInBase):
    """Read, wait and forgive."""

    @property
    def failures(self) -> list[str]:
        """Everything that the real Slack would have refused. Empty at the end of a good test."""
        return self.state.failures

    @property
    def transcript(self) -> list[Message]:
        """Everything that can be read in Slack, oldest first."""
        return self.state.messages

    def forgive(self, part: str) -> None:
        """Remove the failures that contain ``part``, which the test caused on purpose. There must be at least one."""
        kept = [failure for failure in self.state.failures if part not in failure]
        assert len(kept) < len(self.state.failures), f"nothing like {part!r} among {self.state.failures}"
        self.state.failures[:] = kept

    def pass_time(self, seconds: float) -> None:
        """Advance the clock for triggers, response URLs, tokens and rate limits."""
        self.state.passed += seconds

    def calls(self, method: str) -> list[Call]:
        """Return the app's calls of a method."""
        return [call for call in self.state.calls if call.method == method]

    @property
    def scopes_used(self) -> frozenset[str]:
        """Return every scope that the app's calls needed."""
        return scopes.used(self.state)

    def replies(self, thread_ts: str) -> list[Message]:
        """Return the bot's messages in a thread."""
        return [m for m in self.state.messages if m.thread_ts == thread_ts and m.user in self.state.bot_users]

    def current(self, message: Message) -> Message | None:
        """Return the current version of a message, or None if it was deleted."""
        return self.state.find(message.channel, message.ts)

    def versions(self, message: Message) -> list[Message]:
        """Return the earlier versions of a message, oldest first."""
        return [
            before for before, _ in self.state.edits if (before.channel, before.ts) == (message.channel, message.ts)
        ]

    def reactions(self, message: Message) -> list[str]:
        """Return the emoji names on a message."""
        return [r.name for r in self.state.reactions if (r.channel, r.ts) == (message.channel, message.ts)]

    def views(self, user: str = SOMEONE) -> list[View]:
        """Return a person's open modals, the top one last."""
        return list(self.state.stacks[user])

    def home(self, user: str = SOMEONE) -> View | None:
        """Return a person's Home tab, or None if none was published."""
        return self.state.homes.get(user)

    async def wait_for(self, wanted: Callable[[Message], bool], *, timeout_s: float = DEADLINE_S) -> Message:
        """Wait for the first message that fits."""
        return await self._first(
            lambda: next((message for message in self.state.messages if wanted(message)), None), timeout_s
        )

    async def wait_until(self, condition: Callable[[], bool], *, timeout_s: float = DEADLINE_S) -> None:
        """Wait for a condition on messages, views, reactions, calls, acknowledgements or connections."""
        async with asyncio.timeout(timeout_s), self.state.changed:
            await self.state.changed.wait_for(condition)

    async def _first(self, find: Callable[[], Seen | None], timeout_s: float) -> Seen:
        await self.wait_until(lambda: find() is not None, timeout_s=timeout_s)
        found = find()
        assert found is not None
        return found

    async def acknowledged(self, envelopes: int) -> None:
        """Wait until the bot has acknowledged this many deliveries."""
        await self.wait_until(lambda: len(self.state.acks) >= envelopes)

    async def wait_for_reply(self, channel: str, thread_ts: str, *, timeout_s: float = DEADLINE_S) -> Message:
        """Wait for the bot's first message in a thread."""
        return await self.wait_for(
            lambda m: m.channel == channel and m.thread_ts == thread_ts and m.user in self.state.bot_users,
            timeout_s=timeout_s,
        )

    async def wait_for_answer(self, *, to: str = SOMEONE, after: int = 0, timeout_s: float = DEADLINE_S) -> Message:
        """Wait for the bot's first message to one person alone, among the messages from number ``after`` on."""
        return await self.wait_for(lambda m: m.to == to and m in self.state.messages[after:], timeout_s=timeout_s)

    async def wait_for_edit(
        self, message: Message, wanted: Callable[[Message], bool] = lambda _: True, *, timeout_s: float = DEADLINE_S
    ) -> Message:
        """Wait until the message differs from this version and fits."""
        return await self.wait_for(
            lambda m: (m.channel, m.ts) == (message.channel, message.ts) and m != message and wanted(m),
            timeout_s=timeout_s,
        )

    async def wait_for_deletion(self, message: Message, *, timeout_s: float = DEADLINE_S) -> None:
        """Wait until a message is deleted."""
        await self.wait_until(lambda: self.current(message) is None, timeout_s=timeout_s)

    async def wait_for_reaction(self, message: Message, name: str = "", *, timeout_s: float = DEADLINE_S) -> str:
        """Wait for an emoji on a message: any, or this one."""
        return await self._first(
            lambda: next((found for found in self.reactions(message) if name in {"", found}), None), timeout_s
        )

    async def wait_for_view(
        self, wanted: str | Callable[[View], bool] = "", *, user: str = SOMEONE, timeout_s: float = DEADLINE_S
    ) -> View:
        """Wait until the top modal fits: a callback id (any if none is given), or a condition."""
        return await self._first(lambda: _fits(next(reversed(self.views(user)), None), wanted), timeout_s)

    async def wait_for_home(
        self, wanted: Callable[[View], bool] = lambda _: True, *, user: str = SOMEONE, timeout_s: float = DEADLINE_S
    ) -> View:
        """Wait until a person's Home tab is published and fits."""
        return await self._first(lambda: _fits(self.home(user), wanted), timeout_s)

    async def wait_for_call(self, method: str, count: int = 1, *, timeout_s: float = DEADLINE_S) -> Call:
        """Wait for this many calls of a method, and return the last."""
        await self.wait_until(lambda: len(self.calls(method)) >= count, timeout_s=timeout_s)
        return self.calls(method)[count - 1]


def _fits(view: View | None, wanted: str | Callable[[View], bool]) -> View | None:
    if view is None:
        return None
    if isinstance(wanted, str):
        return view if wanted in {"", view.callback_id} else None
    return view if wanted(view) else None
