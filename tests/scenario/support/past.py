"""Helpers for imports of channels' histories: past messages, and waiting for the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import HistoryImport
from handlers.history import progress
from handlers.history.worker import HistoryWorker
from tests.fakes.slack import GENERAL, FakeSlack, Message
from tests.fixtures.pictures import encoded, photo


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new workers begin at once, and show each step."""
    defaults = HistoryWorker.run.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "first_delay_s", 0.01)
    monkeypatch.setitem(defaults, "poll_s", 0.02)
    monkeypatch.setattr(progress, "EVERY_S", 0.0)


@contextmanager
def unseen(slack: FakeSlack, channel: str = GENERAL) -> Iterator[None]:
    """Let people write what the bot gets no events of."""
    slack.state.channels[channel].bot_is_member = False
    try:
        yield
    finally:
        slack.state.channels[channel].bot_is_member = True


def picture(seed: int) -> bytes:
    """Return a small picture that looks like no other one."""
    return encoded(photo(96, 72, seed=7_000 + seed), "JPEG")


async def import_of(app: SlackApp, channel: str = GENERAL) -> HistoryImport | None:
    """Return the newest import of a channel."""
    assert app.identity is not None
    return await app.services.storage.history.of_channel(WorkspaceId(app.identity.workspace), channel)


async def over(app: SlackApp, channel: str = GENERAL, *, seconds: float = 20.0) -> HistoryImport:
    """Wait until a channel's import is over, and return it."""
    for _ in range(int(seconds / 0.02)):
        given = await import_of(app, channel)
        if given is not None and not given.status.is_active:
            return given
        await asyncio.sleep(0.02)
    raise AssertionError(f"the import isn't over: {given}")


def notices(slack: FakeSlack, channel: str = GENERAL) -> list[Message]:
    """Return the bot's public messages in a channel."""
    return [one for one in slack.state.messages if one.channel == channel and one.via == "chat.postMessage"]
