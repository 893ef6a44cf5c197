"""Helpers for shares: channels with settings, existing images, and a restarted bot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp, build
from bot.config.settings import Settings
from bot.domain.catalogue import ImageRecord
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DatabaseName, DataId, WorkspaceId
from bot.domain.pages import PageRequest
from bot.services.job_worker import JobWorker
from handlers.slack.connection import socket_mode
from tests.fakes.slack import GENERAL, FakeSlack, Message
from tests.fixtures.pictures import encoded
from tests.fixtures.scenes import SIZE, scene
from tests.scenario.support.requests import idle, key_of

ORIGINAL = encoded(scene(1), "PNG")
OTHER = encoded(scene(2), "PNG")
NEW = encoded(scene(3), "PNG")


def edited_copy(seed: int = 1) -> bytes:
    """Return a copy of a scene with cropped edges and strong compression."""
    width, height = SIZE
    return encoded(scene(seed).crop((width // 8, height // 8, width * 7 // 8, height * 7 // 8)), "JPEG", quality=60)


def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new workers retry at once."""
    defaults = JobWorker.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "delays_s", (0.01, 0.01, 0.01))
    monkeypatch.setitem(defaults, "poll_s", 0.02)


async def watch(
    app: SlackApp,
    mode: ChannelMode,
    database: str | None = None,
    *,
    channel: str = GENERAL,
    minimum: float | None = None,
) -> None:
    """Set a channel's mode."""
    assert app.identity is not None
    name = None if database is None else DatabaseName(database)
    workspace = WorkspaceId(app.identity.workspace)
    await app.services.storage.bindings.put(ChannelBinding(workspace, channel, mode, name, minimum))


async def settled(slack: FakeSlack, *apps: SlackApp) -> None:
    """Wait until everything sent is acknowledged and handled."""
    while waiting := list(slack.socket_mode._tasks):
        await asyncio.gather(*waiting)
    for app in apps:
        await idle(app)


async def images_in(app: SlackApp, database: str = "parts") -> list[ImageRecord]:
    """Return the images of a database, oldest first, after checking that catalogue and back end agree."""
    key = key_of(app, database)
    records = (await app.services.storage.catalogue.page(key, PageRequest(limit=1000))).items
    listed = (await app.services.visual.list_images(key, PageRequest(limit=1000))).items
    assert {record.data_id for record in records} == {DataId(row.data_id) for row in listed}
    return sorted(records, key=lambda record: record.added_at)


async def entities(app: SlackApp, database: str = "parts") -> list[str]:
    """Return the entities of a database's images."""
    return [str(record.entity) for record in await images_in(app, database)]


async def reply(slack: FakeSlack, shared: Message) -> Message:
    """Wait for the answer in a message's thread."""
    return await slack.wait_for_reply(shared.channel, shared.reply_to)


@asynccontextmanager
async def running(slack: FakeSlack, folder: Path, **environment: str) -> AsyncIterator[SlackApp]:
    """Run a bot within this context. The next one on the same folder is its restart."""
    settings = Settings.from_mapping({**slack.environment, "VSEARCH_DATA_DIR": str(folder), **environment})
    async with (
        build(settings) as app,
        socket_mode(app.bolt, app.wrapper, settings.slack_app_token or "", settings.slack_api_url),
    ):
        yield app
