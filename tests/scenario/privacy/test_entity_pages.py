"""Pages of entities, and previews of their links: with what everybody in the conversation may see, and no more."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.identifiers import DatabaseKey, DatabaseName, WorkspaceId
from bot.media.links import MediaLinks
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, run_command
from tests.scenario.support.shares import settled, watch
from tests.scenario.support.web_bot import PUBLIC

PRIVATE = "C0PRIVATE"
LINK = re.compile(rf"<({re.escape(PUBLIC)}/e/[\w-]+)\|open page>")


@pytest.fixture
async def app(slack: FakeSlack, start: Start) -> SlackApp:
    """A bot with a public address, and one picture of ``valve`` from a public and one from a private channel."""
    slack.add_channel(PRIVATE, "secret", kind="private", members=[SOMEONE])
    app = await start(PUBLIC_BASE_URL=PUBLIC)
    await app.services.databases.create(key(app))
    for channel in (GENERAL, PRIVATE):
        await watch(app, ChannelMode.COLLECT, "parts", channel=channel)
    await slack.upload(slack.host(VALVE, "valve.png"), text="&lt;b&gt;open&lt;/b&gt; id:valve")
    await settled(slack, app)
    await slack.upload(slack.host(GASKET, "hidden.png"), text="a secret id:valve", channel=PRIVATE)
    await settled(slack, app)
    return app


def key(app: SlackApp) -> DatabaseKey:
    assert app.identity is not None
    return DatabaseKey(WorkspaceId(app.identity.workspace), DatabaseName("parts"))


async def links(slack: FakeSlack, channel: str = GENERAL) -> list[str]:
    """Return the links that a listing offers."""
    return LINK.findall((await run_command(slack, "list in:parts", channel=channel)).everything)


async def get(app: SlackApp, url: str) -> httpx.Response:
    transport = httpx.ASGITransport(app.web)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as browser:
        return await browser.get(url)


async def share(slack: FakeSlack, app: SlackApp, url: str, channel: str, **more: object) -> Message:
    """Post a link, of which Slack tells the bot, and return the message as it is then."""
    said = await slack.say(f"see <{url}>", channel=channel)
    event = {"type": "link_shared", "channel": channel, "user": SOMEONE, "message_ts": said.ts} | more
    await slack.event(event | {"links": [{"domain": "vsearch.example.com", "url": url}]})
    await settled(slack, app)
    assert await app.wrapper.drain(10) == 0
    found = slack.state.find(channel, said.ts)
    assert found is not None
    return found


async def test_page_shows_what_its_conversation_may_see(slack: FakeSlack, app: SlackApp) -> None:
    (public,) = set(await links(slack))
    page = await get(app, public)
    assert page.status_code == 200
    assert page.text.count("<img ") == 1
    assert "secret" not in page.text
    assert "&lt;b&gt;open" in page.text
    assert "Original message" in page.text
    policy = page.headers["content-security-policy"]
    assert ("default-src 'none'" in policy, "script" in policy + page.text) == (True, False)
    assert page.headers["x-robots-tag"].startswith("noindex")
    (picture,) = re.findall(r'src="\.\.(/media/[\w-]+)"', page.text)
    assert (await get(app, picture)).headers["content-type"] == "image/jpeg"
    inside = next(iter(await links(slack, PRIVATE)))
    assert (await get(app, inside)).text.count("<img ") == 2
    # Tokens of pages and of pictures don't stand for each other.
    assert (await get(app, public.replace("/e/", "/media/"))).status_code == 404
    assert (await get(app, picture.replace("/media/", "/e/"))).status_code == 404
    assert (await get(app, public[:-2] + "AA")).status_code == 404


async def test_link_shows_a_preview_with_what_both_conversations_may_see(slack: FakeSlack, app: SlackApp) -> None:
    inside = next(iter(await links(slack, PRIVATE)))
    shown = await share(slack, app, inside, GENERAL)
    assert "valve" in str(shown.attachments)
    assert "1 photo" in str(shown.attachments)
    assert "secret" not in str(shown.attachments)
    assert "2 photos" in str((await share(slack, app, inside, PRIVATE)).attachments)
    assert (await share(slack, app, inside, GENERAL, source="composer", unfurl_id="U1")).attachments == ()
    assert (await share(slack, app, f"{PUBLIC}/e/guessed", GENERAL)).attachments == ()


async def test_nothing_is_shown_of_what_was_deleted(slack: FakeSlack, app: SlackApp) -> None:
    public = next(iter(await links(slack)))
    await app.services.databases.delete(key(app))
    assert (await get(app, public)).status_code == 404
    assert (await share(slack, app, public, GENERAL)).attachments == ()


async def test_link_expires(slack: FakeSlack, app: SlackApp) -> None:
    url = next(iter(await links(slack)))
    secret = await app.services.storage.keyring.key("media")
    yesterday = MediaLinks(PUBLIC, secret, 60, lambda: datetime.now(UTC) - timedelta(days=1))
    old = yesterday.entity_url(yesterday.read_entity(yesterday.entity_token(url)))
    assert (await get(app, old)).status_code == 410


async def test_workspace_without_the_permission_gets_no_preview(
    slack: FakeSlack, app: SlackApp, caplog: pytest.LogCaptureFixture
) -> None:
    public = next(iter(await links(slack)))
    slack.refuse_next("chat.unfurl", "missing_scope")
    assert (await share(slack, app, public, GENERAL)).attachments == ()
    assert not [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]


async def test_without_a_public_address_there_are_no_links(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "parts", valve=VALVE)
    assert "/e/" not in (await run_command(slack, "list in:parts")).everything
    assert (await get(app, f"{PUBLIC}/e/guessed")).status_code == 404
