"""A command's own picture server: another process on HOST:PORT counts as the bot only if it knows our links."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import media_links
from bot.app.picture_server import serve_pictures
from bot.config.settings import Settings
from bot.domain.errors import CannotListen
from bot.storage.sql_storage import SqlStorage
from bot.web import pictures_app, serving
from tests.fixtures.storages import StoragePlace

BACK_END = cast("VisualSearch", SimpleNamespace(capabilities=SimpleNamespace(needs_public_url=True)))
SETTINGS = Settings(public_base_url="https://vsearch.example.com/bot", host="127.0.0.1")


async def _bot(storage: SqlStorage) -> ASGIApp:
    links = await media_links(SETTINGS, storage)
    assert links is not None
    unused = cast("Any", None)
    return pictures_app(links, unused, unused, unused)


async def test_bot_with_the_same_storage_serves_the_commands_pictures(storage: SqlStorage) -> None:
    async with (
        serving(await _bot(storage), "127.0.0.1", 0) as (_, port),
        serve_pictures(replace(SETTINGS, port=port), BACK_END, storage),
    ):
        pass


async def test_another_program_on_the_port_is_not_mistaken_for_the_bot(
    storage: SqlStorage, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = await StoragePlace(tmp_path_factory.mktemp("other")).open()
    try:
        for app in (PlainTextResponse("hello", 410), await _bot(other)):
            async with serving(app, "127.0.0.1", 0) as (_, port):
                with pytest.raises(CannotListen, match=f"Port {port} on 127.0.0.1 is in use"):
                    async with serve_pictures(replace(SETTINGS, port=port), BACK_END, storage):
                        pass
    finally:
        await other.close()
