"""The bot over HTTP in this process: everything that ``build`` creates, served on a free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bot.app.slack_app import SlackApp, build
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey, DatabaseName, EntityId, Note, WorkspaceId
from bot.web import serving
from tests.fakes.slack import FakeSlack

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
STATE_SECRET = "a-secret-of-our-own"
PUBLIC = "https://vsearch.example.com"


@dataclass(frozen=True)
class WebBot:
    """A running bot, and a browser for its pages."""

    app: SlackApp
    browser: httpx.AsyncClient


@asynccontextmanager
async def web_bot(slack: FakeSlack, data_dir: Path, **environment: str) -> AsyncIterator[WebBot]:
    """Run a bot that gets Slack's deliveries. Empty settings count as unset."""
    mode = slack.http("http://127.0.0.1:9/slack/events", SECRET)
    values = {**slack.environment, "VSEARCH_DATA_DIR": str(data_dir), **environment}
    settings = Settings.from_mapping(values)
    async with build(settings) as app, serving(app.web, "127.0.0.1", 0, grace_s=3) as (host, port):
        mode.url = f"http://{host}:{port}/slack/events"
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as browser:
            yield WebBot(app, browser)
            # Slack would deliver again what it sends to a port that nobody listens on any more.
            await mode.finish()
            assert await app.wrapper.drain(10) == 0


async def stock(app: SlackApp, workspace: str, name: str, *, author: str = "", **pictures: bytes) -> None:
    """Create a database with these pictures, by entity, in any workspace. The operator has no name as an author."""
    key = DatabaseKey(WorkspaceId(workspace), DatabaseName(name))
    await app.services.databases.create(key)
    for entity, content in pictures.items():
        picture = await app.services.normaliser.picture(content)
        jpeg = await app.services.normaliser.jpeg(picture)
        note = Note(f"About {entity}")
        await app.services.additions.add(key, picture, jpeg, EntityId(entity), note, added_by=author)


async def databases(bot: WebBot, workspace: str) -> list[str]:
    """Return the names of a workspace's databases."""
    return [info.key.name for info in await bot.app.services.databases.all(WorkspaceId(workspace))]


def oauth_settings(slack: FakeSlack, **environment: str) -> dict[str, str]:
    """Return the settings of a bot that many workspaces install, without a bot token."""
    own = {"SLACK_BOT_TOKEN": "", "SLACK_STATE_SECRET": STATE_SECRET, "PUBLIC_BASE_URL": PUBLIC}
    return {**slack.oauth_environment, **own, **environment}


@dataclass(frozen=True)
class StartedInstall:
    """A started installation: the URL for the browser, and its cookie."""

    authorize_url: str
    cookie: str


async def begin_install(browser: httpx.AsyncClient) -> StartedInstall:
    """Open the install page, and read the URL of its button."""
    page = await browser.get("/slack/install")
    assert page.status_code == 200
    found = re.search(r'href="([^"]+/oauth/v2/authorize[^"]+)"', page.text)
    assert found is not None, page.text
    return StartedInstall(html.unescape(found[1]), page.headers["set-cookie"].partition(";")[0])


async def finish_install(browser: httpx.AsyncClient, redirect: str, cookie: str) -> httpx.Response:
    """Return from Slack's page."""
    assert redirect.startswith(f"{PUBLIC}/slack/oauth_redirect?")
    return await browser.get(redirect.removeprefix(PUBLIC), headers={"Cookie": cookie} if cookie else {})


async def install(
    slack: FakeSlack, browser: httpx.AsyncClient, team: str = "", *, for_organisation: bool = False
) -> httpx.Response:
    """Install the app in a workspace, from the first click to the last page."""
    begun = await begin_install(browser)
    redirect = slack.approve_install(begun.authorize_url, team=team, for_organisation=for_organisation)
    return await finish_install(browser, redirect, begun.cookie)


async def wait_until_forgotten(bot: WebBot, *gone: str) -> None:
    """Wait until these workspaces' data is deleted and all jobs are done."""

    async def look() -> bool:
        known = await bot.app.services.storage.catalogue.workspaces()
        return not set(gone) & set(known) and not (await bot.app.services.storage.inbox.depth()).waiting

    async with asyncio.timeout(10):
        while not await look():  # noqa: ASYNC110 - it is the database that changes
            await asyncio.sleep(0.01)
