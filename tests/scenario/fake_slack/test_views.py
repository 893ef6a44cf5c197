"""The stand-in's modals and Home tabs: opened by trigger, filled in as by a person, submitted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, View
from tests.fakes.slack.delivery.listener import SocketListener


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def option(value: str) -> dict[str, Any]:
    return {"text": plain(value.title()), "value": value}


def field(name: str, element: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "input", "block_id": name, "label": plain(name), "element": {"action_id": name, **element}, **more}


FORM = {
    "type": "modal",
    "callback_id": "search_form",
    "private_metadata": "{}",
    "title": plain("Search"),
    "submit": plain("Search"),
    "notify_on_close": True,
    "blocks": [
        field("files", {"type": "file_input", "max_files": 2}, optional=True),
        field("url", {"type": "plain_text_input", "max_length": 20}, optional=True),
        field(
            "database",
            {"type": "static_select", "option_groups": [{"label": plain("a"), "options": [option("parts")]}]},
        ),
        field(
            "readers",
            {"type": "radio_buttons", "options": [option("me"), option("channel")], "initial_option": option("me")},
        ),
        field("hints", {"type": "checkboxes", "options": [option("on")]}, optional=True),
        field(
            "conversation",
            {"type": "conversations_select", "default_to_current_conversation": True, "response_url_enabled": True},
            optional=True,
        ),
    ],
}
NOTE = {"type": "modal", "title": plain("Note"), "blocks": [{"type": "section", "text": plain("done")}]}
HOME = {
    "type": "home",
    "blocks": [
        {
            "type": "actions",
            "elements": [
                {"type": "button", "text": plain("x"), "action_id": f"delete:{name}", "value": f'"{name}"'}
                for name in ("parts", "logos")
            ],
        }
    ],
}


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


async def opened(fake: FakeSlack, client: AsyncWebClient, view: dict[str, Any] = FORM) -> View:
    trigger = fake.state.new_trigger(SOMEONE, fake.state.home, channel=GENERAL)
    await client.views_open(trigger_id=trigger, view=view)
    return await fake.wait_for_view()


async def refused(call: Any, error: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        await call
    assert caught.value.response["error"] == error


async def test_trigger_opens_one_modal_within_three_seconds(
    fake: FakeSlack, app: SocketListener, client: AsyncWebClient
) -> None:
    await fake.command("")
    trigger = app.received[-1]["trigger_id"]
    await client.views_open(trigger_id=trigger, view=FORM)
    assert (await fake.wait_for_view("search_form")).channel == GENERAL
    await refused(client.views_open(trigger_id=trigger, view=FORM), "exchanged_trigger_id")
    await fake.command("")
    fake.pass_time(3.5)
    await refused(client.views_open(trigger_id=app.received[-1]["trigger_id"], view=FORM), "expired_trigger_id")
    await refused(client.views_open(trigger_id="1.1", view=FORM), "invalid_trigger_id")
    for part in ("exchanged", "expired", "invalid_trigger_id"):
        fake.forgive(part)
    bad = FORM | {"title": plain("x" * 25)}
    await refused(client.views_open(trigger_id="1.1", view=bad), "invalid_arguments")
    fake.forgive("title")
    assert fake.failures == []


async def test_submission_holds_values_by_kind_of_field(
    fake: FakeSlack, app: SocketListener, client: AsyncWebClient
) -> None:
    view = await opened(fake, client)
    assert await fake.submit(view, {"files": [b"one", b"two"], "database": "Parts", "hints": ["on"]}) == {}
    payload = app.received[-1]
    values = payload["view"]["state"]["values"]
    assert [file["size"] for file in values["files"]["files"]["files"]] == [3, 3]
    assert values["url"]["url"] == {"type": "plain_text_input", "value": None}
    assert values["database"]["database"]["selected_option"]["value"] == "parts"
    assert values["readers"]["readers"]["selected_option"]["value"] == "me"
    assert [o["value"] for o in values["hints"]["hints"]["selected_options"]] == ["on"]
    assert values["conversation"]["conversation"]["selected_conversation"] == GENERAL
    assert payload["response_urls"][0]["channel_id"] == GENERAL
    assert "channel" not in payload
    assert view.closed
    assert fake.views() == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "database must be filled in"),
        ({"database": "logos"}, "no logos"),
        ({"database": "parts", "url": "x" * 21}, "0 to 20 characters"),
        ({"database": "parts", "files": [b"x"] * 3}, "at most 2"),
        ({"nonsense": "x"}, "nonsense"),
    ],
)
async def test_input_that_slacks_client_refuses_cannot_be_submitted(
    fake: FakeSlack, client: AsyncWebClient, values: dict[str, Any], problem: str
) -> None:
    view = await opened(fake, client)
    with pytest.raises(AssertionError, match=problem):
        fake.submit(view, values)


async def test_response_to_a_submission_changes_the_stack(
    fake: FakeSlack, app: SocketListener, client: AsyncWebClient
) -> None:
    view = await opened(fake, client)
    values = {"database": "parts"}
    app.answers["view_submission"] = {"response_action": "errors", "errors": {"url": "That is no address."}}
    assert await fake.submit(view, values) == app.answers["view_submission"]
    assert (view.errors, view.closed) == ({"url": "That is no address."}, False)
    app.answers["view_submission"] = {"response_action": "push", "view": FORM | {"callback_id": "second"}}
    await fake.submit(view, values)
    assert [v.callback_id for v in fake.views()] == ["search_form", "second"]
    app.answers["view_submission"] = {"response_action": "update", "view": NOTE}
    await fake.submit(fake.views()[-1], values)
    assert (fake.views()[-1].everything, len(fake.views()[-1].earlier)) == ("Note\ndone", 1)
    app.answers["view_submission"] = {"response_action": "clear"}
    await fake.submit(view, values)
    assert fake.views() == []
    assert fake.failures == []


async def test_invalid_responses_are_failures(fake: FakeSlack, app: SocketListener, client: AsyncWebClient) -> None:
    view = await opened(fake, client)
    for wrong in (
        {"response_action": "errors", "errors": {"summary": "x"}},
        {"response_action": "errors", "errors": {}},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "explode"},
    ):
        app.answers["view_submission"] = wrong
        await fake.submit(view, {"database": "parts"})
    assert len(fake.failures) == 4


async def test_updates_name_the_version_that_they_change(fake: FakeSlack, client: AsyncWebClient) -> None:
    view = await opened(fake, client)
    old = view.hash
    await client.views_update(view_id=view.id, hash=old, view=NOTE)
    assert (await fake.wait_for_view(lambda v: "done" in v.everything)) is view
    await refused(client.views_update(view_id=view.id, hash=old, view=NOTE), "hash_conflict")
    await fake.close(view)
    await refused(client.views_update(view_id=view.id, view=NOTE), "not_found")
    await refused(client.views_update(view_id="V0", view=NOTE), "not_found")


async def test_at_most_three_modals_are_stacked(fake: FakeSlack, app: SocketListener, client: AsyncWebClient) -> None:
    await opened(fake, client)
    for _ in range(2):
        await client.views_push(trigger_id=fake.state.new_trigger(SOMEONE, fake.state.home), view=FORM)
    trigger = fake.state.new_trigger(SOMEONE, fake.state.home)
    await refused(client.views_push(trigger_id=trigger, view=FORM), "push_limit_reached")
    top = fake.views()[-1]
    assert (top.root, top.previous) == (fake.views()[0].id, fake.views()[1].id)
    await fake.close(top)
    assert app.received[-1]["type"] == "view_closed"
    assert len(fake.views()) == 2


async def test_home_tab_is_published_and_pressed(fake: FakeSlack, app: SocketListener, client: AsyncWebClient) -> None:
    assert fake.home() is None
    await client.views_publish(user_id=SOMEONE, view=HOME)
    home = await fake.wait_for_home()
    await fake.press_in_view(home, "delete", about="logos")
    payload = app.received[-1]
    assert payload["container"] == {"type": "view", "view_id": home.id}
    assert payload["actions"][0]["action_id"] == "delete:logos"
    assert "response_url" not in payload
    await refused(client.views_publish(user_id=SOMEONE, view=HOME, hash="old"), "hash_conflict")
    await refused(client.views_publish(user_id=SOMEONE, view=NOTE), "invalid_arguments")
