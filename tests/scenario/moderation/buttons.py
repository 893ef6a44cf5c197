"""Helpers for the buttons of reports."""

from __future__ import annotations

from typing import Any

from bot.app.slack_app import SlackApp
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.slack.payloads import channel_object, interaction
from tests.scenario.moderation.reposts import (
    MOD,
    copies_in,
    repost,
)
from tests.scenario.support.requests import action_ids, idle
from tests.scenario.support.shares import edited_copy

OK, NEVER, ASK, UNDO = "report_ok", "report_never", "report_ask", "report_undo"
NOT_SAME, FORGET = "report_not_same", "report_forget"


async def reported(slack: FakeSlack, app: SlackApp, content: bytes | None = None) -> Message:
    """Return the moderators' report about a new repost."""
    await repost(slack, app, edited_copy() if content is None else content)
    return copies_in(slack)[-1]


async def act(slack: FakeSlack, app: SlackApp, report: Message, action: str, *, user: str = MOD) -> str:
    """Press a button, or choose in the menu. Return what the person alone is told."""
    current = slack.current(report)
    assert current is not None
    before = len(slack.transcript)
    if action in {NOT_SAME, FORGET}:
        [value] = [one for one in _options(current) if one.startswith(f"{action}|")]
        await slack.press(report, "report_menu", user=user, value=value)
    else:
        await slack.press(report, action, user=user)
    await idle(app)
    return "\n".join(message.everything for message in slack.transcript[before:] if message.to == user)


def press_payload(slack: FakeSlack, report: Message, action: str, *, user: str = MOD) -> dict[str, Any]:
    """Return what Slack sends about a press of a button of this version of a message."""
    elements = [element for block in report.blocks if block["type"] == "actions" for element in block["elements"]]
    [pressed] = [element for element in elements if element["action_id"].startswith(action)]
    element = {"type": "button", "action_id": pressed["action_id"], "block_id": "old", "value": pressed["value"]}
    workspace = slack.state.workspace_of(report.channel)
    return interaction(slack.state, "block_actions", workspace, user) | {
        "container": {"type": "message", "message_ts": report.ts, "channel_id": report.channel},
        "trigger_id": slack.state.new_trigger(user, workspace, channel=report.channel),
        "channel": channel_object(slack.state, report.channel),
        "response_url": slack.state.new_response_url(report.channel, user, report.ts, from_message=True),
        "actions": [element],
    }


def now(slack: FakeSlack, report: Message) -> Message:
    """Return a message as it is now."""
    current = slack.current(report)
    assert current is not None
    return current


def offered(slack: FakeSlack, report: Message) -> set[str]:
    """Return what a report offers now."""
    current = now(slack, report)
    names = {name.partition(":")[0] for name in action_ids(current)}
    return (names | {value.partition("|")[0] for value in _options(current)}) - {"report_menu"}


def _options(message: Message) -> list[str]:
    elements: list[dict[str, Any]] = [
        element for block in message.blocks if block["type"] == "actions" for element in block["elements"]
    ]
    return [option["value"] for element in elements for option in element.get("options", [])]
