"""What people do in the stand-in, and the payloads that the app gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fakes.slack.delivery.listener import SocketListener

BLOCKS = [
    {
        "type": "actions",
        "elements": [
            {
                "type": "button",
                "text": {"type": "plain_text", "text": name},
                "action_id": f"{name}:1",
                "value": f'{{"database":"{name}"}}',
            }
            for name in ("more", "share")
        ],
    }
]


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
async def app(fake: FakeSlack) -> AsyncIterator[SocketListener]:
    async with SocketListener(fake) as listener:
        yield listener


@pytest.fixture
def client(fake: FakeSlack) -> AsyncWebClient:
    return AsyncWebClient(fake.state.bot_token, base_url=fake.api_url)


async def answer(url: str, **body: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(url, json=body)


async def test_button_press_carries_message_and_state(
    fake: FakeSlack, app: SocketListener, client: AsyncWebClient
) -> None:
    parent = await fake.say("hello")
    await client.chat_postMessage(channel=GENERAL, text="found", blocks=BLOCKS, thread_ts=parent.ts)
    await fake.press(fake.replies(parent.ts)[0], "share", user="U1")
    payload = app.received[-1]
    assert payload["container"] == {
        "type": "message",
        "message_ts": payload["message"]["ts"],
        "channel_id": GENERAL,
        "is_ephemeral": False,
        "thread_ts": parent.ts,
    }
    (action,) = payload["actions"]
    assert (action["action_id"], action["value"], action["block_id"]) == ("share:1", '{"database":"share"}', "block0")
    assert payload["user"]["id"] == "U1"
    await fake.press(fake.replies(parent.ts)[0], "more", value="forged")
    assert app.received[-1]["actions"][0]["value"] == "forged"


async def test_ephemeral_message_is_pressed_by_its_reader_and_not_included(
    fake: FakeSlack, app: SocketListener, client: AsyncWebClient
) -> None:
    await client.chat_postEphemeral(channel=GENERAL, user=SOMEONE, text="found", blocks=BLOCKS)
    (message,) = fake.transcript
    with pytest.raises(AssertionError, match="doesn't see"):
        fake.press(message, "more", user="U1")
    with pytest.raises(AssertionError, match="no nonsense"):
        fake.press(message, "nonsense")
    await fake.press(message, "more")
    payload = app.received[-1]
    assert payload["container"]["is_ephemeral"]
    assert "message" not in payload
    url = payload["response_url"]
    assert (await answer(url, replace_original=True, text="more")).text == "ok"
    assert (await fake.wait_for_edit(message)).text == "more"
    assert (await answer(url, delete_original=True)).text == "ok"
    await fake.wait_for_deletion(message)
    assert fake.failures == []


async def test_button_press_says_whether_its_message_is_replaced(
    fake: FakeSlack, app: SocketListener, client: AsyncWebClient
) -> None:
    ts = (await client.chat_postMessage(channel=GENERAL, text="found", blocks=BLOCKS))["ts"]
    await fake.press(fake.transcript[0], "more")
    url = app.received[-1]["response_url"]
    await answer(url, text="x", response_type="ephemeral")
    fake.forgive("replace_original was left to chance")
    await answer(url, text="y", response_type="in_channel", replace_original=False, thread_ts=ts)
    assert fake.replies(ts)[0].text == "y"


async def test_command_has_no_original_and_hides_closed_names(fake: FakeSlack, app: SocketListener) -> None:
    fake.add_channel("C0PRIVATE", "secret", kind="private")
    fake.add_channel("D1", "", kind="im")
    await fake.command("help", channel="C0PRIVATE")
    await fake.command("help", channel="D1")
    assert [p["channel_name"] for p in app.received] == ["privategroup", "directmessage"]
    refusal = await answer(app.received[0]["response_url"], replace_original=True, text="x")
    assert refusal.status_code == 404
    fake.forgive("only a button's message")


async def test_message_shortcut_carries_the_files_of_an_old_message(fake: FakeSlack, app: SocketListener) -> None:
    fake.add_channel("C0OPEN", "open", bot_is_member=False)
    shared = await fake.upload(fake.host(b"x", "v.png"), channel="C0OPEN", text="look")
    await fake.shortcut_message("find_similar", shared)
    (payload,) = app.received
    assert (payload["type"], payload["message_ts"]) == ("message_action", shared.ts)
    assert [file["name"] for file in payload["message"]["files"]] == ["v.png"]


async def test_upload_that_mentions_the_bot_sends_three_events(fake: FakeSlack, app: SocketListener) -> None:
    shared = await fake.upload(b"x", text="what is it?", mention=True)
    await fake.acknowledged(3)
    (mention,) = app.events("app_mention")
    assert [len(app.events(kind)) for kind in ("message", "file_shared")] == [1, 1]
    assert (mention["ts"], len(mention["files"])) == (shared.ts, 1)
    fake.add_channel("D1", "", kind="im")
    await fake.upload(b"x", channel="D1", mention=True)
    await fake.acknowledged(5)
    assert len(app.events("app_mention")) == 1
    assert app.events("message")[-1]["channel_type"] == "im"


async def test_deleted_message_sends_an_event_and_leaves_a_tombstone_over_its_thread(
    fake: FakeSlack, app: SocketListener, client: AsyncWebClient
) -> None:
    shared = await fake.upload(b"x")
    await (await fake.delete_message(shared))
    event = app.events("message")[-1]
    assert (event["subtype"], event["deleted_ts"], event["hidden"]) == ("message_deleted", shared.ts, True)
    assert event["previous_message"]["files"][0]["id"] == shared.files[0].id
    answered = await fake.upload(b"x")
    await client.chat_postMessage(channel=GENERAL, text="found", thread_ts=answered.ts)
    await (await fake.delete_message(answered))
    event = app.events("message")[-1]
    assert (event["subtype"], event["message"]["subtype"], event["message"]["ts"]) == (
        "message_changed",
        "tombstone",
        answered.ts,
    )
    assert event["previous_message"]["files"][0]["id"] == answered.files[0].id


async def test_edits_deleted_files_and_home_send_events(fake: FakeSlack, app: SocketListener) -> None:
    shared = await fake.upload(b"x", text="one")
    await fake.edit_message(shared, "two")
    await (await fake.delete_file(shared.files[0]))
    await fake.open_home("U1")
    await fake.acknowledged(5)
    assert app.events("message")[-1]["message"]["text"] == "two"
    assert app.events("file_deleted")[0]["file_id"] == shared.files[0].id
    assert app.events("app_home_opened")[0]["user"] == "U1"
    assert fake.failures == []
