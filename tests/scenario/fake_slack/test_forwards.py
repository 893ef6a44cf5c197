"""The stand-in's forwards, links and other apps' messages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import GENERAL, FakeSlack
from tests.fakes.slack.delivery.listener import SocketListener
from tests.fakes.slack.people.forwards import OTHER_APP, unfurled_image


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


async def test_forward_shows_files_without_sharing_them(fake: FakeSlack) -> None:
    fake.add_channel("C0AWAY", "away", kind="private", bot_is_member=False)
    client = AsyncWebClient(fake.state.bot_token, base_url=fake.api_url)
    async with SocketListener(fake) as app:
        source = await fake.upload(b"picture", channel="C0AWAY", text="look")
        forwarded = await fake.forward(source, text="see")
        await fake.acknowledged(1)
        (event,) = app.events("message")
    attachment = event["attachments"][0]
    assert ("subtype" in event, "files" in event, event["text"]) == (False, False, "see")
    assert (attachment["is_share"], attachment["files"][0]["id"]) == (True, source.files[0].id)
    (kept,) = (await client.conversations_replies(channel=GENERAL, ts=forwarded.ts))["messages"]
    assert kept["attachments"] == event["attachments"]
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_info(file=source.files[0].id)
    await fake.delete_file(source.files[0])
    (kept,) = (await client.conversations_replies(channel=GENERAL, ts=forwarded.ts))["messages"]
    assert kept["attachments"][0]["files"][0]["mode"] == "tombstone"


async def test_link_is_shown_by_a_hidden_change_that_is_no_edit(fake: FakeSlack) -> None:
    async with SocketListener(fake) as app:
        said = await fake.say("https://example.com/a.png")
        await fake.unfurl(said, unfurled_image("https://example.com/a.png"))
        posted = await fake.post_as_app("hello")
        await fake.acknowledged(3)
        _, changed, foreign = app.events("message")
    assert (changed["subtype"], changed["hidden"], "edited" in changed["message"]) == ("message_changed", True, False)
    assert changed["message"]["attachments"][0]["image_url"] == "https://example.com/a.png"
    assert "attachments" not in changed["previous_message"]
    assert (foreign["app_id"], foreign["ts"]) == (OTHER_APP, posted.ts)
