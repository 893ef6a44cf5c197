"""Deliveries reach their listeners, and all others are acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from handlers.errors import ListenerWrapper
from handlers.listeners.listener_set import Listeners
from handlers.register import register
from handlers.slack.clients import SingleWorkspaceClients, web_client
from handlers.slack.connection import bolt_app

TEAM, BASE = "T1", "http://127.0.0.1:9/api/"
KNOWN = AuthorizeResult(enterprise_id=None, team_id=TEAM, bot_user_id="U0BOT", bot_id="B0BOT", bot_token="xoxb-1")


class Recorder:
    """Replaces every listener and records calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def listen(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            self.calls.append(name)

        return listen

    async def store(self, next: Any) -> None:  # noqa: A002 - Bolt's name
        self.calls.append("store")
        await next()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def wrapper() -> ListenerWrapper:
    return ListenerWrapper()


@pytest.fixture
def app(recorder: Recorder, wrapper: ListenerWrapper) -> AsyncApp:
    app = bolt_app(web_client(None, BASE), SingleWorkspaceClients(KNOWN, BASE), None)
    everything: Any = recorder
    register(
        app,
        wrapper,
        everything,
        Listeners(
            commands=everything,
            mentions=everything,
            actions=everything,
            views=everything,
            shortcuts=everything,
            home=everything,
            links=everything,
        ),
    )
    return app


async def deliver(app: AsyncApp, wrapper: ListenerWrapper, **body: Any) -> BoltResponse:
    request = AsyncBoltRequest(
        body={"team_id": TEAM, "team": {"id": TEAM}, "user": {"id": "U1"}, **body}, mode="socket_mode"
    )
    response: BoltResponse = await app.async_dispatch(request)
    assert await wrapper.drain(1) == 0
    return response


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "event_callback", "event": {"type": kind, "user": "U1", "channel": "C1", "ts": "1.2", **fields}}


PRESSED = {"actions": [{"type": "button", "action_id": "anything:at all\n", "block_id": "b", "value": "v"}]}
VIEW = {"view": {"callback_id": "whatever\nthere is", "state": {"values": {}}, "type": "modal"}}

DELIVERIES = [
    ({"command": "/vsearch", "text": "help", "user_id": "U1", "channel_id": "C1"}, "on_command"),
    (event("app_mention"), ""),
    (event("app_home_opened", tab="home"), "on_opened"),
    ({"type": "block_actions", **PRESSED}, "on_action"),
    ({"type": "view_submission", **VIEW}, "on_submission"),
    ({"type": "message_action", "callback_id": "find_similar", "message": {"ts": "1.2"}}, "on_shortcut"),
    ({"type": "shortcut", "callback_id": "search_by_image"}, "on_shortcut"),
    (event("link_shared", links=[]), "on_shared"),
    (event("message"), ""),
    (event("message", subtype="file_share"), ""),
    (event("message", subtype="message_deleted"), ""),
    (event("file_deleted"), ""),
    (event("app_uninstalled"), ""),
    (event("tokens_revoked"), ""),
    (event("team_access_revoked"), ""),
    (event("reaction_added"), ""),
    (event("something_new"), ""),
    ({"type": "view_closed", **VIEW}, ""),
    ({"command": "/other", "text": "", "user_id": "U1", "channel_id": "C1"}, ""),
    ({"type": "block_suggestion", "action_id": "database", "block_id": "database", "value": "pa"}, ""),
]


@pytest.mark.parametrize(("body", "listener"), DELIVERIES)
async def test_delivery_is_stored_and_reaches_its_listener(
    app: AsyncApp, wrapper: ListenerWrapper, recorder: Recorder, body: dict[str, Any], listener: str
) -> None:
    response = await deliver(app, wrapper, **body)
    assert response.status == 200
    assert recorder.calls == ["store", listener] if listener else ["store"]


async def test_options_request_gets_no_options(app: AsyncApp, wrapper: ListenerWrapper) -> None:
    response = await deliver(app, wrapper, type="block_suggestion", action_id="x", block_id="x", value="")
    assert '"options": []' in response.body


async def test_delivery_of_another_workspace_reaches_no_listener(
    app: AsyncApp, wrapper: ListenerWrapper, recorder: Recorder
) -> None:
    await deliver(app, wrapper, team_id="T2", team={"id": "T2"}, type="block_actions", **PRESSED)
    await deliver(app, wrapper, team_id="T2", team=None, **event("app_mention"))
    assert recorder.calls == []
