"""Parsing of button presses, shortcuts and modal submissions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.ids import InputId
from bot.domain.channels import ChannelKind
from handlers.parsing.payloads.interactions import (
    ActionRequest,
    FormValues,
    ShortcutRequest,
    Submission,
    parse_action,
    parse_form,
    parse_shortcut,
    parse_submission,
)
from tests.fakes.slack.files import connect_stub
from tests.fixtures.payloads import (
    EVENTS,
    INTERACTIONS,
    PICTURE,
    VALUES,
    action,
    action_in_view,
    anything,
    assert_well_typed,
    command,
    corrupted,
    global_shortcut,
    message_shortcut,
    submission,
)


def parse_valid_action(payload: dict[str, Any]) -> ActionRequest:
    parsed = parse_action(payload)
    assert parsed is not None
    return parsed


def parse_valid_shortcut(payload: dict[str, Any]) -> ShortcutRequest:
    parsed = parse_shortcut(payload)
    assert parsed is not None
    return parsed


def parse_valid_submission(payload: dict[str, Any]) -> Submission:
    parsed = parse_submission(payload)
    assert parsed is not None
    return parsed


def test_button_in_a_message_is_parsed() -> None:
    found = parse_valid_action(action())
    assert (found.workspace, found.enterprise, found.user, found.user_workspace) == ("T1", "E1", "U1", "T1")
    assert (found.channel, found.channel_kind, found.message_ts, found.thread_ts) == (
        "C1",
        ChannelKind.PUBLIC,
        "1.3",
        "1.2",
    )
    assert (found.value, found.trigger_id, found.is_ephemeral) == ("{}", "1.2.3", False)
    assert found.response_url == "https://hooks.slack.com/actions/1"
    assert (found.view_id, found.view_hash, found.view_metadata, found.selected) == ("", "", "", "")


def test_suffix_of_action_id_is_removed() -> None:
    assert parse_valid_action(action()).action_id == "results_more"
    assert parse_valid_action(action({"action_id": "list_page"})).action_id == "list_page"


def test_ephemeral_message_is_parsed_from_its_container() -> None:
    container = {"type": "message", "message_ts": "1.3", "channel_id": "C1", "is_ephemeral": True, "thread_ts": "1.2"}
    payload = action(container=container)
    del payload["message"], payload["channel"]
    found = parse_valid_action(payload)
    assert (found.channel, found.message_ts, found.thread_ts, found.is_ephemeral) == ("C1", "1.3", "1.2", True)


def test_button_in_a_view_is_parsed() -> None:
    found = parse_valid_action(action_in_view())
    assert (found.view_id, found.view_hash, found.view_metadata) == ("V1", "h1", "{}")
    assert (found.channel, found.channel_kind, found.message_ts) == ("", ChannelKind.DIRECT, "")


@pytest.mark.parametrize(
    ("name", "channel", "kind"),
    [
        ("privategroup", "C1", ChannelKind.PRIVATE),
        ("directmessage", "D1", ChannelKind.DIRECT),
        ("mpdm-ann--bob-1", "C1", ChannelKind.DIRECT),
        ("parts", "C1", ChannelKind.PUBLIC),
        ("parts", "G1", ChannelKind.PRIVATE),
    ],
)
def test_channel_kind_is_parsed_from_the_name(name: str, channel: str, kind: ChannelKind) -> None:
    location = {"id": channel, "name": name}
    assert parse_valid_action(action(channel=location)).channel_kind is kind
    assert parse_valid_shortcut(message_shortcut(channel=location)).channel_kind is kind


@pytest.mark.parametrize(
    ("chosen", "selected"),
    [
        ({"type": "static_select", "selected_option": {"value": "parts"}}, "parts"),
        ({"type": "overflow", "selected_option": {"value": "delete"}}, "delete"),
        ({"type": "checkboxes", "selected_options": [{"value": "hints"}]}, "hints"),
        ({"type": "checkboxes", "selected_options": []}, ""),
        ({"type": "conversations_select", "selected_conversation": "C9"}, "C9"),
        ({"type": "channels_select", "selected_channel": "C9"}, "C9"),
        ({"type": "static_select", "selected_option": None}, ""),
    ],
)
def test_selected_value_is_parsed(chosen: dict[str, Any], selected: str) -> None:
    assert parse_valid_action(action(chosen | {"action_id": "chosen"})).selected == selected


def test_workspace_is_parsed_for_an_app_of_an_organisation() -> None:
    assert parse_valid_action(action(team=None)).workspace == "T1"
    view = {"id": "V1", "callback_id": "search_form", "app_installed_team_id": "T_APP", "state": {"values": {}}}
    assert parse_valid_submission(submission(view=view, team={"id": "T_OTHER"})).workspace == "T_APP"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        action(type="view_submission"),
        action(actions=[]),
        action(None),
        action({"action_id": ":1"}),
        action(user={"id": None}),
        action(user={"id": "U1"}, team=None),
        command(),
    ],
)
def test_other_payloads_are_not_actions(payload: dict[str, Any]) -> None:
    assert parse_action(payload) is None


def test_message_shortcut_is_parsed() -> None:
    found = parse_valid_shortcut(
        message_shortcut(PICTURE, connect_stub("F2"), PICTURE | {"id": "F3", "mimetype": "text/plain"})
    )
    assert (found.workspace, found.enterprise, found.user, found.callback_id) == ("T1", "E1", "U1", "find_similar")
    assert (found.channel, found.message_ts, found.thread_ts) == ("C1", "1.3", "1.2")
    assert (found.author, found.author_is_bot, found.text) == ("U2", False, "look")
    assert [file.id for file in found.files] == ["F1", "F2"]
    assert (found.trigger_id, found.response_url) == ("1.2.3", "https://hooks.slack.com/app/1")


@pytest.mark.parametrize("sign", [{"bot_id": "B1"}, {"bot_profile": {"id": "B1"}}, {"subtype": "bot_message"}])
def test_author_of_a_message_shortcut_may_be_a_bot(sign: dict[str, Any]) -> None:
    payload = message_shortcut()
    payload["message"] |= sign
    assert parse_valid_shortcut(payload).author_is_bot


def test_global_shortcut_has_no_message() -> None:
    found = parse_valid_shortcut(global_shortcut(channel={"id": "C1"}, message={"ts": "1.3", "files": [PICTURE]}))
    assert (found.callback_id, found.channel, found.message_ts, found.files) == ("search_by_image", "", "", ())
    assert found.channel_kind is ChannelKind.DIRECT


@pytest.mark.parametrize(
    "payload",
    [
        {},
        action(),
        message_shortcut(callback_id=None),
        message_shortcut(channel=None),
        message_shortcut(message=None, message_ts=None),
        global_shortcut(user=None),
    ],
)
def test_other_payloads_are_not_shortcuts(payload: dict[str, Any]) -> None:
    assert parse_shortcut(payload) is None


def test_submission_is_parsed() -> None:
    found = parse_valid_submission(submission())
    assert (found.workspace, found.enterprise, found.user) == ("T1", "E1", "U1")
    assert (found.callback_id, found.view_id, found.view_hash, found.metadata) == ("search_form", "V1", "h1", "{}")
    assert found.response_urls == (("C1", "https://hooks.slack.com/app/1"),)


def test_form_values_are_parsed_by_field() -> None:
    form = parse_valid_submission(submission()).form
    assert [file.id for file in form.files] == ["F1", "F2"]
    assert form.texts == {InputId.URL: "", InputId.NOTE: "spare", InputId.MINIMUM: "8.5"}
    assert form.choices == {
        InputId.DATABASE: ("parts",),
        InputId.READERS: ("me",),
        InputId.HINTS: ("a", "b"),
        InputId.CONVERSATION: ("C1",),
        InputId.CHANNEL: (),
        InputId.TOP: (),
    }
    assert set(VALUES) == {InputId.FILES, *form.texts, *form.choices}


def test_form_keeps_files_that_are_not_images() -> None:
    names = [file.may_be_image for file in parse_valid_submission(submission()).form.files]
    assert names == [True, False]


@pytest.mark.parametrize("values", [None, [], {"files": None}, {"url": {}}, {"url": {"url": {"type": 3}}}, {"a": []}])
def test_form_without_values_is_empty(values: Any) -> None:
    assert parse_form(values) == FormValues()


@pytest.mark.parametrize(
    "payload", [{}, action(), submission(type="view_closed"), submission(user=None), submission(view={"id": "V1"})]
)
def test_other_payloads_are_not_submissions(payload: dict[str, Any]) -> None:
    assert parse_submission(payload) is None


def check(body: dict[str, Any]) -> None:
    if (pressed_one := parse_action(body)) is not None:
        assert_well_typed(pressed_one, ActionRequest)
    if (shortcut := parse_shortcut(body)) is not None:
        assert_well_typed(shortcut, ShortcutRequest)
    if (sent := parse_submission(body)) is not None:
        assert_well_typed(sent, Submission)


@given(st.dictionaries(st.text(max_size=8), anything))
def test_any_json_does_not_raise(body: dict[str, Any]) -> None:
    check(body)


@given(corrupted((*INTERACTIONS, *EVENTS, command())))
def test_corrupted_payloads_do_not_raise(body: dict[str, Any]) -> None:
    check(body)


@given(anything | st.dictionaries(st.sampled_from([*InputId]), anything) | corrupted((VALUES,)))
def test_any_form_values_do_not_raise(values: Any) -> None:
    assert_well_typed(parse_form(values), FormValues)
