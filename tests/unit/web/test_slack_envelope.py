"""Signed deliveries of any shape are accepted by Bolt or refused, and never cause a server error."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier

from bot.web.slack_envelope import is_well_formed
from tests.unit.web.web_application import SECRET, WebClient

EVENT: dict[str, Any] = {
    "type": "event_callback",
    "team_id": "T1",
    "enterprise_id": "E1",
    "event_id": "Ev1",
    "authorizations": [{"team_id": "T1", "enterprise_id": None, "user_id": "UB"}],
    "event": {
        "type": "message",
        "subtype": "file_share",
        "user": "U1",
        "channel": "C1",
        "ts": "1.2",
        "files": [{"id": "F1"}],
    },
}
BUTTON: dict[str, Any] = {
    "type": "block_actions",
    "team": {"id": "T1"},
    "enterprise": None,
    "user": {"id": "U1", "team_id": "T1"},
    "channel": {"id": "C1"},
    "actions": [{"action_id": "more", "type": "button", "block_id": "buttons", "value": "{}"}],
    "container": {"type": "message"},
    "message": {"ts": "1.2"},
    "response_url": "https://hooks.slack.com/actions/x",
}
FORM: dict[str, Any] = {
    "type": "view_submission",
    "team": {"id": "T1"},
    "user": {"id": "U1"},
    "view": {"id": "V1", "type": "modal", "callback_id": "search", "state": {"values": {}}},
    "response_urls": [{"response_url": "https://hooks.slack.com/app/x", "channel_id": "C1"}],
}
SHORTCUT: dict[str, Any] = {
    "type": "message_action",
    "callback_id": "find",
    "team": {"id": "T1"},
    "user": {"id": "U1"},
    "channel": {"id": "C1"},
    "message": {"ts": "1.2", "files": []},
}
DELIVERIES = {"event": EVENT, "button": BUTTON, "form": FORM, "shortcut": SHORTCUT}

LEFT_OUT = object()
STRANGE: tuple[Any, ...] = (LEFT_OUT, None, 5, True, "x", [], {}, [1], ["x"], {"a": 1})


def _paths(value: Any, location: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if location:
        yield location
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        yield from _paths(part, (*location, name))


def _variants(delivery: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield variants of the delivery with each part removed or replaced."""
    for *way, last in _paths(delivery):
        for value in STRANGE:
            changed = copy.deepcopy(delivery)
            holder: Any = changed
            for name in way:
                holder = holder[name]
            if value is LEFT_OUT:
                del holder[last]
            else:
                holder[last] = value
            yield changed


def _bolt() -> WebClient:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1", bot_id="B1", bot_user_id="UB")

    async def listen(ack: Any) -> None:
        await ack()

    app = AsyncApp(signing_secret=SECRET, authorize=authorize)
    app.event("message")(listen)
    app.action("more")(listen)
    app.view("search")(listen)
    app.shortcut("find")(listen)
    return WebClient(slack=AsyncSlackRequestHandler(app).handle)


async def _deliver(web: WebClient, delivery: dict[str, Any]) -> int:
    if delivery.get("event"):
        body, kind = json.dumps(delivery), "application/json"
    else:
        body, kind = urlencode({"payload": json.dumps(delivery)}), "application/x-www-form-urlencoded"
    now = str(int(time.time()))
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=now, body=body)
    assert signature is not None
    headers = {"Content-Type": kind, "X-Slack-Request-Timestamp": now, "X-Slack-Signature": signature}
    return (await web.ask("POST", "/slack/events", content=body, headers=headers)).status_code


@pytest.mark.parametrize("kind", DELIVERIES)
async def test_valid_deliveries_are_acknowledged(kind: str) -> None:
    assert await _deliver(_bolt(), DELIVERIES[kind]) == 200


@pytest.mark.parametrize("kind", DELIVERIES)
async def test_any_signed_delivery_never_gives_5xx(kind: str) -> None:
    web = _bolt()
    answers = [(await _deliver(web, delivery), delivery) for delivery in _variants(DELIVERIES[kind])]
    assert [delivery for status, delivery in answers if status >= 500] == []
    assert {200, 400} <= {status for status, _ in answers}


@pytest.mark.parametrize(
    "document",
    [
        {"type": "event_callback", "event": {"type": "channel_created", "channel": {"id": "C1"}}},
        {"type": "event_callback", "authorizations": None, "event": {"type": "team_join", "user": {"id": "U1"}}},
        {"type": "url_verification", "challenge": "x"},
        {"type": "interactive_message", "actions": [{"name": "old", "type": "button"}]},
        {
            "type": "block_actions",
            "enterprise": None,
            "channel": None,
            "view": {"type": "home"},
            "actions": [{"action_id": "a"}],
        },
        {"type": "something_new", "view": None, "message": None},
    ],
)
def test_unusual_valid_documents_are_accepted(document: dict[str, Any]) -> None:
    assert is_well_formed(json.dumps(document).encode(), "application/json")
    assert is_well_formed(urlencode({"payload": json.dumps(document)}).encode(), "application/x-www-form-urlencoded")


def test_commands_and_ssl_checks_are_forms() -> None:
    assert is_well_formed(
        b"command=%2Fvsearch&text=payload%20of%20%F0%9F%98%80&team_id=T1", "application/x-www-form-urlencoded"
    )
    assert is_well_formed(b"ssl_check=1&token=x", "application/x-www-form-urlencoded")
    assert is_well_formed(b"", "application/json")
