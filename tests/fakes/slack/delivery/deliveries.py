"""Common part of Socket Mode and HTTP: deliver, wait for the acknowledgement, and repeat."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from tests.fakes.slack.blocks.validation import refusal_of_message
from tests.fakes.slack.state import State
from tests.fakes.slack.values import Ack, Json, Message

NO_ANSWER: Json = {}
"""Result of a delivery that was given up. Compare by identity: an empty acknowledgement is equal to it."""


class Unacknowledged(Exception):
    """A delivery failed. ``excused``: nobody was connected who could have acknowledged it."""

    def __init__(self, reason: str, *, excused: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.excused = excused


class Delivery(ABC):
    """A way to deliver to the app. Events are repeated. For anything else, the person sees the failure at once."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.acknowledge_within_s = 3.0
        self.retries = 3
        self.delays_s: tuple[float, ...] = (0.0, 0.01, 0.02)
        """Seconds before each repetition. Slack's are 0, 60 and 300."""
        self._tasks: set[asyncio.Task[Json]] = set()

    def deliver(self, kind: str, payload: Json) -> asyncio.Task[Json]:
        """Deliver until acknowledged or given up. The task ends with the content of the acknowledgement."""
        task = asyncio.create_task(self._deliver(kind, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _deliver(self, kind: str, payload: Json) -> Json:
        attempts = self.retries + 1 if kind == "events_api" else 1
        reason = ""
        for attempt in range(attempts):
            if attempt and self.delays_s:
                await asyncio.sleep(self.delays_s[min(attempt, len(self.delays_s)) - 1])
            try:
                ack = await self.attempt(kind, payload, attempt, reason)
            except Unacknowledged as failed:
                reason = failed.reason
                if not failed.excused and not self.state.silence_is_fine:
                    self.state.fail(f"no acknowledgement of {kind} within {self.acknowledge_within_s:g} s ({reason})")
                continue
            await self._settle(kind, payload, ack)
            return ack.payload
        return NO_ANSWER

    @abstractmethod
    async def attempt(self, kind: str, payload: Json, attempt: int, reason: str) -> Ack:
        """Send once. Raises Unacknowledged."""

    async def _settle(self, kind: str, payload: Json, ack: Ack) -> None:
        async with self.state.changed:
            self.state.acks.append(ack)
            self.state.changed.notify_all()
        if kind == "slash_commands" and ack.payload.get("text"):
            await self._show(payload, ack.payload)

    async def _show(self, command: Json, answer: Json) -> None:
        channel = command.get("channel_id", "")
        if problem := refusal_of_message(self.state, self.state.workspace_of(channel), answer):
            self.state.fail(f"acknowledgement: {problem}")
            return
        public = answer.get("response_type") == "in_channel"
        await self.state.post(
            Message(
                channel=channel,
                ts=self.state.ts(),
                user=self.state.workspace_of(channel).bot_user,
                text=answer["text"],
                blocks=tuple(answer.get("blocks") or ()),
                to="" if public else command.get("user_id", ""),
                via="ack",
            )
        )

    async def finish(self) -> None:
        """Wait until every delivery is acknowledged or given up."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Stop all deliveries."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
