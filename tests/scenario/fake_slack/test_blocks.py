"""The stand-in's Block Kit rules accept only what Slack accepts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.slack.blocks import block_kit

Block = dict[str, Any]


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def option(value: str) -> Block:
    return {"text": plain(value), "value": value}


def field(element: Block, **more: Any) -> Block:
    return {"type": "input", "label": plain("Field"), "element": element, **more}


def select(**more: Any) -> Block:
    return {"type": "static_select", "action_id": "s", **more}


def modal(*blocks: Block, **more: Any) -> Block:
    return {"type": "modal", "title": plain("Title"), "submit": plain("Go"), "blocks": list(blocks), **more}


BUTTON = {"type": "button", "text": plain("Press"), "action_id": "a", "value": "v"}
CONFIRM = {"title": plain("Sure?"), "text": plain("Really"), "confirm": plain("Yes"), "deny": plain("No")}
GROUPS = [{"label": plain("a"), "options": [option(f"{n}") for n in range(100)]}] * 100


@pytest.mark.parametrize(
    "view",
    [
        modal(field({"type": "file_input", "action_id": "f", "max_files": 10}, optional=True)),
        modal(field(select(option_groups=GROUPS[:10]))),
        modal(field(select(options=[option("1")], initial_option=option("1")))),
        modal(field({"type": "radio_buttons", "action_id": "r", "options": [option("me"), option("channel")]})),
        modal(field({"type": "checkboxes", "action_id": "c", "options": [option("hints")]}, optional=True)),
        modal(
            field(
                {
                    "type": "conversations_select",
                    "action_id": "c",
                    "default_to_current_conversation": True,
                    "response_url_enabled": True,
                    "filter": {"exclude_bot_users": True},
                }
            )
        ),
        modal(field({"type": "plain_text_input", "action_id": "t", "max_length": 64, "initial_value": "x" * 64})),
        {"type": "home", "blocks": [{"type": "actions", "elements": [BUTTON | {"confirm": CONFIRM}]}]},
    ],
)
def test_valid_views_have_no_problems(view: Block) -> None:
    assert block_kit.view_problems(view) == []


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (modal(title=plain("x" * 25)), "title"),
        ({**modal(field(BUTTON))}, "unknown element 'button' in input"),
        ({"type": "modal", "title": plain("x"), "blocks": [field(select(options=[option("1")]))]}, "submit"),
        (modal(*[{"type": "divider"}] * 101), "101 blocks"),
        (modal(private_metadata="x" * 3001), "private_metadata"),
        (modal(callback_id="x" * 256), "callback_id"),
        (modal(field(select(options=[option("1")], option_groups=GROUPS[:1]))), "either options or option_groups"),
        (modal(field(select(options=[option(str(n)) for n in range(101)]))), "1 to 100 options"),
        (modal(field(select(option_groups=GROUPS + GROUPS[:1]))), "1 to 100 option groups"),
        (modal(field(select(options=[option("1")], initial_option=option("2")))), "initial_option"),
        (modal(field(select(options=[option("x" * 76)]))), "option text"),
        (modal(field({"type": "file_input", "max_files": 11})), "max_files"),
        (modal(field({"type": "plain_text_input", "max_length": 3001})), "max_length"),
        (modal(field({"type": "plain_text_input", "max_length": 1, "initial_value": "xx"})), "initial_value"),
        (modal(field({"type": "radio_buttons", "options": [option(str(n)) for n in range(11)]})), "1 to 10"),
        (modal(field({"type": "conversations_select", "filter": {}})), "filter"),
        (modal(field(select(options=[option("1")]), label=plain(""))), "label"),
        ({"type": "home", "title": plain("x"), "blocks": []}, "unknown keys"),
        ({"type": "home", "blocks": [field({"type": "file_input"})]}, "modals alone"),
        (
            {"type": "home", "blocks": [field({"type": "channels_select", "response_url_enabled": True})]},
            "response_url",
        ),
        (modal(*[{"type": "section", "text": plain("x" * 2900)}] * 90), "view_too_large"),
    ],
)
def test_invalid_views_are_refused(view: Block, problem: str) -> None:
    assert problem in "; ".join(block_kit.view_problems(view))


def actions(*elements: Block) -> list[Block]:
    return [{"type": "actions", "elements": list(elements)}]


def picture(**source: Any) -> list[Block]:
    return [{"type": "image", "alt_text": "a valve", **source}]


@pytest.mark.parametrize(
    "blocks",
    [
        actions(BUTTON, BUTTON | {"action_id": "a:2", "style": "danger", "confirm": CONFIRM}),
        actions(select(placeholder=plain("Choose"), options=[option("1")])),
        actions({"type": "overflow", "action_id": "o", "options": [option("1"), option("2")]}),
        picture(image_url="https://example.com/v.png", title=plain("Valve")),
        picture(slack_file={"id": "F1"}),
        [{"type": "markdown", "text": "**hello**"}],
    ],
)
def test_valid_messages_have_no_problems(blocks: list[Block]) -> None:
    assert block_kit.problems(blocks) == []


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        (actions(BUTTON, BUTTON), "an action_id occurs twice"),
        (actions(), "1 to 25"),
        (actions(BUTTON | {"style": "primary-ish"}), "style"),
        (actions(BUTTON | {"value": "x" * 2001}), "value"),
        (actions(BUTTON | {"text": {"type": "mrkdwn", "text": "x"}}), "text"),
        (actions(BUTTON | {"confirm": CONFIRM | {"title": plain("x" * 101)}}), "confirm title"),
        (actions(BUTTON | {"confirm": {"title": plain("x")}}), "confirm text"),
        (actions({"type": "plain_text_input"}), "in actions"),
        (actions({"type": "overflow", "options": [option(str(n)) for n in range(6)]}), "1 to 5"),
        (picture(image_url="https://example.com/v.png", slack_file={"id": "F1"}), "either image_url or slack_file"),
        (picture(slack_file={"id": "F1", "url": "https://x"}), "exactly one of id and url"),
        (picture(image_url="ftp://example.com"), "no address"),
        ([{"type": "image", "image_url": "https://example.com/v.png"}], "alt_text"),
        ([field({"type": "file_input"})], "modals alone"),
        ([{"type": "divider", "block_id": "1"}] * 2, "a block_id occurs twice"),
        ([{"type": "section", "text": plain("x"), "fields": []}], "fields"),
    ],
)
def test_invalid_messages_are_refused(blocks: list[Block], problem: str) -> None:
    assert problem in "; ".join(block_kit.problems(blocks))
