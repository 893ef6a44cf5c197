"""The real app, connected to the stand-in for Slack by a real WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path

import pytest
from aiohttp import web

from bot.adapters.embedded.model.embedding import BuiltInModel
from bot.app.back_ends import embedded
from bot.app.slack_app import SlackApp, build
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from handlers.slack.connection import socket_mode
from tests.fakes.slack import FakeSlack
from tests.fixtures.models import RememberingModel


@pytest.fixture(scope="session", autouse=True)
def one_model() -> Iterator[None]:
    """Load the built-in model once for all bots, and run it once for each picture."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(embedded, "BuiltInModel", cache(lambda: RememberingModel(BuiltInModel())))
        yield


@pytest.fixture
async def pictures() -> AsyncIterator[PictureServer]:
    """A server of pictures on 127.0.0.1."""
    server = PictureServer()
    await server.start()
    yield server
    await server.stop()


class PictureServer:
    """A web server with pictures."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.address = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{name}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def url(self, name: str, content: bytes) -> str:
        self.files[name] = content
        return f"http://{self.address}/{name}"

    async def _serve(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        return web.Response(body=self.files[request.match_info["name"]], content_type="image/png")


Start = Callable[..., Awaitable[SlackApp]]


@pytest.fixture
async def start(slack: FakeSlack, tmp_path: Path) -> AsyncIterator[Start]:
    """Start the bot, with further settings if given."""
    async with AsyncExitStack() as stack:

        async def begin(**environment: str) -> SlackApp:
            values = {**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data"), **environment}
            settings = Settings.from_mapping(values)
            app = await stack.enter_async_context(build(settings))
            token = settings.slack_app_token or ""
            await stack.enter_async_context(socket_mode(app.bolt, app.wrapper, token, settings.slack_api_url))
            return app

        yield begin


async def fill(app: SlackApp, name: str, **pictures: bytes) -> None:
    """Create a database with these pictures, by entity, as if the operator had imported them."""
    await fill_as("", app, name, pictures)


async def fill_as(author: str, app: SlackApp, name: str, pictures: Mapping[str, bytes]) -> None:
    """Create a database with these pictures, by entity, added by somebody in Slack; the operator has no name."""
    services = app.services
    assert app.identity is not None
    key = DatabaseKey(WorkspaceId(app.identity.workspace), DatabaseName(name))
    await services.databases.create(key)
    for entity, content in pictures.items():
        picture = await services.normaliser.picture(content)
        jpeg = await services.normaliser.jpeg(picture)
        note = Note(f"About {entity}")
        await services.additions.add(key, picture, jpeg, EntityId(entity), note, added_by=author)
