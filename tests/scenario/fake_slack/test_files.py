"""The stand-in's files: uploads by the bot, and where they may be shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import GENERAL, FakeSlack, HostedFile
from tests.fakes.slack.delivery.listener import SocketListener
from tests.fixtures.pictures import encoded, photo

PICTURE = encoded(photo(64, 48, seed=1), "PNG")


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def client(fake: FakeSlack) -> AsyncWebClient:
    return AsyncWebClient(fake.state.bot_token, base_url=fake.api_url)


async def show(client: AsyncWebClient, file: str) -> Any:
    image = {"type": "image", "slack_file": {"id": file}, "alt_text": "a valve"}
    return await client.chat_postMessage(channel=GENERAL, text="look", blocks=[image])


async def refused(fake: FakeSlack, client: AsyncWebClient, file: HostedFile, why: str) -> None:
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        await show(client, file.id)
    fake.forgive(why)


async def test_upload_can_be_shown_once_it_is_processed(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.state.processing_looks = 2
    given = await client.files_upload_v2(content=PICTURE, filename="thumbnail.png", alt_txt="a valve")
    file = fake.state.files[given["file"]["id"]]
    assert (await client.files_info(file=file.id))["file"]["mimetype"] == ""
    await refused(fake, client, file, "still being processed")
    await client.files_info(file=file.id)
    info = (await client.files_info(file=file.id))["file"]
    assert (info["mimetype"], info["title"], info["alt_txt"]) == ("image/png", "thumbnail.png", "a valve")
    await show(client, file.id)
    assert fake.failures == []
    assert fake.state.uploads[file.id].completed


async def test_upload_to_a_channel_posts_a_message_and_an_event(fake: FakeSlack, client: AsyncWebClient) -> None:
    async with SocketListener(fake) as app:
        await client.files_upload_v2(content=PICTURE, filename="a.png", channel=GENERAL, initial_comment="here")
        await fake.acknowledged(1)
        (event,) = app.events("message")
    (message,) = fake.transcript
    assert (message.text, len(message.files), event["bot_id"]) == ("here", 1, fake.state.bot_id)


async def test_only_visible_files_in_formats_of_slack_are_shown(fake: FakeSlack, client: AsyncWebClient) -> None:
    await refused(fake, client, fake.host(PICTURE), "not shared with the bot")
    await refused(fake, client, (await fake.upload(fake.host(b"RIFF", "a.webp"))).files[0], "neither PNG")
    fake.add_channel("C0CLOSED", "closed", bot_is_member=False)
    hidden = (await fake.upload(PICTURE, channel="C0CLOSED")).files[0]
    await refused(fake, client, hidden, "not shared with the bot")
    with pytest.raises(SlackApiError, match="file_not_found"):
        await client.files_info(file=hidden.id)
    shared = (await fake.upload(PICTURE)).files[0]
    await show(client, shared.id)
    await fake.delete_file(shared)
    await refused(fake, client, shared, "doesn't exist")
    with pytest.raises(SlackApiError, match="file_deleted"):
        await client.files_info(file=shared.id)


async def test_bot_deletes_only_its_own_files(fake: FakeSlack, client: AsyncWebClient) -> None:
    theirs = fake.host(PICTURE)
    with pytest.raises(SlackApiError, match="cant_delete_file"):
        await client.files_delete(file=theirs.id)
    fake.forgive("cant_delete_file")
    given = await client.files_upload_v2(content=PICTURE, filename="a.png")
    async with SocketListener(fake) as app:
        await client.files_delete(file=given["file"]["id"])
        await fake.acknowledged(1)
        assert app.events("file_deleted")[0]["file_id"] == given["file"]["id"]
