"""The stand-in's Web API: messages, conversations, people, tokens and limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack
from tests.fakes.slack.delivery.listener import SocketListener


@pytest.fixture
async def fake() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def client(fake: FakeSlack) -> AsyncWebClient:
    return AsyncWebClient(fake.state.bot_token, base_url=fake.api_url)


async def refused(call: Any, error: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        await call
    assert caught.value.response["error"] == error


async def test_messages_are_changed_and_deleted_only_by_their_author(fake: FakeSlack, client: AsyncWebClient) -> None:
    blocks = [{"type": "divider"}]
    ts = (await client.chat_postMessage(channel=GENERAL, text="one", blocks=blocks))["ts"]
    await client.chat_update(channel=GENERAL, ts=ts, text="two")
    (message,) = fake.transcript
    assert (message.text, message.blocks, message.edited) == ("two", tuple(blocks), True)
    assert [earlier.text for earlier in fake.versions(message)] == ["one"]
    theirs = await fake.say("hello")
    await refused(client.chat_update(channel=GENERAL, ts=theirs.ts, text="x"), "cant_update_message")
    await refused(client.chat_delete(channel=GENERAL, ts=theirs.ts), "cant_delete_message")
    await client.chat_delete(channel=GENERAL, ts=ts)
    await refused(client.chat_delete(channel=GENERAL, ts=ts), "message_not_found")
    assert [deleted.text for deleted in fake.state.deleted] == ["two"]
    fake.forgive("is not the bot's own")


async def test_ephemeral_messages_cannot_be_changed(fake: FakeSlack, client: AsyncWebClient) -> None:
    answer = await client.chat_postEphemeral(channel=GENERAL, user=SOMEONE, text="psst")
    await refused(client.chat_update(channel=GENERAL, ts=answer["message_ts"], text="x"), "message_not_found")
    assert (await client.conversations_history(channel=GENERAL))["messages"] == []


async def test_permalinks_lead_into_threads(fake: FakeSlack, client: AsyncWebClient) -> None:
    first = await fake.say("one")
    reply = await fake.say("two", thread_ts=first.ts)
    link = (await client.chat_getPermalink(channel=GENERAL, message_ts=reply.ts))["permalink"]
    assert link.startswith("https://fake.slack.com/archives/C0GENERAL/p")
    assert link.endswith(f"?thread_ts={first.ts}&cid={GENERAL}")


async def test_reactions_are_added_once(fake: FakeSlack, client: AsyncWebClient) -> None:
    message = await fake.say("one")
    location = {"channel": GENERAL, "timestamp": message.ts, "name": "white_check_mark"}
    await client.reactions_add(**location)
    await refused(client.reactions_add(**location), "already_reacted")
    assert await fake.wait_for_reaction(message) == "white_check_mark"
    await client.reactions_remove(**location)
    assert fake.reactions(message) == []
    await refused(client.reactions_add(**location | {"timestamp": "1.1"}), "message_not_found")


async def test_conversation_info_matches_its_kind(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.add_channel("C0PRIVATE", "secret", kind="private", members=["U1"])
    fake.add_channel("D1", "", kind="im", members=["U1"])
    fake.add_channel("C0SHARED", "partners", kind="shared")
    fake.add_channel("C0HIDDEN", "hidden", private=True, bot_is_member=False)
    fake.add_channel("C0OPEN", "open", bot_is_member=False)
    private = (await client.conversations_info(channel="C0PRIVATE"))["channel"]
    assert (private["is_private"], private["is_member"], private["is_im"]) == (True, True, False)
    assert (await client.conversations_info(channel="D1"))["channel"]["user"] == "U1"
    assert (await client.conversations_info(channel="C0SHARED"))["channel"]["is_ext_shared"]
    assert not (await client.conversations_info(channel="C0OPEN"))["channel"]["is_member"]
    await refused(client.conversations_info(channel="C0HIDDEN"), "channel_not_found")
    await refused(client.conversations_history(channel="C0OPEN"), "not_in_channel")
    opened = await client.conversations_open(users=["U1"])
    assert opened["channel"]["id"] == "D1"


async def test_members_come_in_pages(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.add_channel("C0MANY", "many", members=[f"U{n}" for n in range(5)])
    members: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await client.conversations_members(channel="C0MANY", limit=2, cursor=cursor)
        members += page["members"]
        cursor = page["response_metadata"]["next_cursor"]
    assert members == ["U0", "U1", "U2", "U3", "U4", fake.state.bot_user]
    assert cursor == ""


async def test_threads_are_read_with_blocks_files_and_metadata(fake: FakeSlack, client: AsyncWebClient) -> None:
    shared = await fake.upload(b"x", text="look")
    metadata = {"event_type": "answer", "event_payload": {"marker": "1"}}
    await client.chat_postMessage(
        channel=GENERAL,
        thread_ts=shared.ts,
        text="found",
        blocks=[{"type": "divider", "block_id": "summary:1"}],
        metadata=metadata,
    )
    answer = await client.conversations_replies(channel=GENERAL, ts=shared.ts, include_all_metadata=True)
    parent, reply = answer["messages"]
    assert parent["files"][0]["id"] == shared.files[0].id
    assert parent["reply_count"] == 1
    assert reply["blocks"][0]["block_id"] == "summary:1"
    assert (reply["bot_id"], reply["metadata"]) == (fake.state.bot_id, metadata)
    (only,) = (await client.conversations_history(channel=GENERAL))["messages"]
    assert only["ts"] == shared.ts
    await refused(client.conversations_replies(channel=GENERAL, ts="1.1"), "thread_not_found")


async def test_people_have_the_flags_of_the_test(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.add_person("U1", is_admin=True)
    assert (await client.users_info(user="U1"))["user"]["is_admin"]
    assert not (await client.users_info(user="U2"))["user"]["is_admin"]


async def test_token_is_valid_for_its_own_workspace_only(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.add_workspace("T2", "Other", "xoxb-2")
    fake.add_channel("C2", "theirs", team="T2")
    other = AsyncWebClient("xoxb-2", base_url=fake.api_url)
    assert (await other.auth_test())["team_id"] == "T2"
    await other.chat_postMessage(channel="C2", text="hello")
    await refused(client.chat_postMessage(channel="C2", text="hello"), "channel_not_found")
    fake.forgive("another workspace's")
    file = fake.host(b"x", team="T2")
    await refused(client.files_info(file=file.id), "file_not_found")


async def test_tokens_are_revoked_and_expire(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.expire_token()
    await refused(client.auth_test(), "token_expired")
    fake.state.give_token(fake.state.home, "xoxb-new")
    fresh = AsyncWebClient("xoxb-new", base_url=fake.api_url)
    async with SocketListener(fake) as app:
        for task in fake.uninstall():
            await task
        assert [len(app.events(kind)) for kind in ("app_uninstalled", "tokens_revoked")] == [1, 1]
    await refused(fresh.auth_test(), "token_revoked")


async def test_installation_is_approved_and_its_tokens_rotate(fake: FakeSlack) -> None:
    workspace = fake.add_workspace("T2", "Other")
    fake.oauth.expires_in = 60
    page = (
        "https://slack.com/oauth/v2/authorize?client_id=1.2&state=s1&scope=chat:write,commands&redirect_uri=https://x/r"
    )
    redirect = fake.approve_install(page, team="T2")
    assert redirect.startswith("https://x/r?code=")
    assert redirect.endswith("&state=s1")
    anonymous = AsyncWebClient(base_url=fake.api_url)
    client_of = {"client_id": fake.oauth.client_id, "client_secret": fake.oauth.client_secret}
    exchange = {**client_of, "code": redirect.split("=")[1].split("&")[0], "redirect_uri": "https://x/r"}
    given = await anonymous.oauth_v2_access(**exchange)
    assert (given["team"]["id"], given["scope"], given["expires_in"]) == ("T2", "chat:write,commands", 60)
    await refused(anonymous.oauth_v2_access(**exchange), "invalid_code")
    renewed = await anonymous.oauth_v2_access(
        **client_of, grant_type="refresh_token", refresh_token=given["refresh_token"]
    )
    fake.pass_time(61)
    await refused(AsyncWebClient(given["access_token"], base_url=fake.api_url).auth_test(), "token_expired")
    assert workspace.bot_token == renewed["access_token"] != given["access_token"]
    assert fake.failures == []


async def test_organisation_installs_for_all_its_workspaces(fake: FakeSlack) -> None:
    for team in ("T2", "T3"):
        fake.add_workspace(team, team, enterprise="E1")
        fake.add_channel(f"C{team}", "general", team=team)
    code = fake.oauth.code(fake.state.workspace("T2"), SOMEONE, for_organisation=True)
    given = await AsyncWebClient(base_url=fake.api_url).oauth_v2_access(
        client_id=fake.oauth.client_id, client_secret=fake.oauth.client_secret, code=code
    )
    assert (given["team"], given["enterprise"]["id"], given["is_enterprise_install"]) == (None, "E1", True)
    client = AsyncWebClient(given["access_token"], base_url=fake.api_url)
    await client.chat_postMessage(channel="CT2", text="one")
    await client.chat_postMessage(channel="CT3", text="two")
    async with SocketListener(fake) as app:
        await fake.command("help", channel="CT3")
        await fake.say("hello", channel="CT3")
        await fake.wait_until(lambda: len(app.received) == 2)
    command, event = app.received
    assert (command["team_id"], command["enterprise_id"], command["is_enterprise_install"]) == ("T3", "E1", "true")
    assert (event["authorizations"][0]["is_enterprise_install"], event["team_id"]) == (True, "T3")


async def test_scopes_depend_on_the_kind_of_conversation(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.add_channel("C0PRIVATE", "secret", kind="private")
    fake.grant_scopes("channels:read")
    await client.conversations_info(channel=GENERAL)
    await refused(client.conversations_info(channel="C0PRIVATE"), "missing_scope")
    fake.forgive("missing_scope: conversations.info needs groups:read")
    assert fake.scopes_used == {"channels:read", "groups:read"}


async def test_rate_limits_say_how_long_to_wait(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.rate_limit("auth.test", per_second=2)
    fake.limit_posts_to_one_a_second()
    await client.auth_test()
    await client.auth_test()
    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()
    assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "1")
    await client.chat_postMessage(channel=GENERAL, text="one")
    await refused(client.chat_postMessage(channel=GENERAL, text="two"), "ratelimited")
    fake.pass_time(1)
    await client.auth_test()
    await client.chat_postMessage(channel=GENERAL, text="two")
    fake.rate_limit("users.info", next_calls=1, retry_after_s=3)
    await refused(client.users_info(user="U1"), "ratelimited")
    await client.users_info(user="U1")


async def test_broken_server_does_nothing_but_lost_answer_did_the_work(fake: FakeSlack, client: AsyncWebClient) -> None:
    fake.break_next("chat.postMessage")
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=GENERAL, text="one")
    assert fake.transcript == []
    fake.lose_next_answer("chat.postMessage")
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=GENERAL, text="two")
    await client.chat_postMessage(channel=GENERAL, text="three")
    assert [message.text for message in fake.transcript] == ["two", "three"]
