"""What Slack sends, as its documentation and recordings have it, and ways to spoil it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

Json = dict[str, Any]

PICTURE: Json = {
    "id": "F1",
    "title": "Valve",
    "mimetype": "image/png",
    "size": 10,
    "url_private": "https://files.slack.com/files-pri/T1-F1/valve.png",
    "thumb_720": "https://files.slack.com/files-tmb/T1-F1/valve_720.png",
    "thumb_1024": "https://files.slack.com/files-tmb/T1-F1/valve_1024.png",
}

_OURS = {"enterprise_id": "E1", "team_id": "T1", "user_id": "U0BOT", "is_bot": True, "is_enterprise_install": False}


def event(**fields: Any) -> Json:
    """An event with what is around it; a field that is None is left out."""
    return {
        "type": "event_callback",
        "team_id": "T1",
        "enterprise_id": "E1",
        "event_id": "Ev1",
        "is_ext_shared_channel": False,
        "authorizations": [dict(_OURS)],
        "event": {name: value for name, value in fields.items() if value is not None},
    }


def share(*files: Any, **fields: Any) -> Json:
    """A message with files."""
    message = {
        "type": "message",
        "subtype": "file_share",
        "channel": "C1",
        "channel_type": "channel",
        "user": "U1",
        "ts": "1.2",
        "text": "what is this?",
        "files": list(files or [PICTURE]),
    }
    return event(**(message | fields))


def mention(**fields: Any) -> Json:
    """A mention of the bot, without files."""
    said = {"type": "app_mention", "channel": "C1", "user": "U1", "ts": "1.2", "text": "<@U0BOT> status"}
    return event(**(said | fields))


def command(**fields: Any) -> Json:
    """A slash command."""
    return {
        "team_id": "T1",
        "enterprise_id": "E1",
        "channel_id": "C1",
        "channel_name": "parts",
        "user_id": "U1",
        "text": "help",
        "trigger_id": "1.2.3",
        "response_url": "https://hooks.slack.com/commands/1",
        "is_enterprise_install": "false",
    } | fields


def _interaction(**fields: Any) -> Json:
    return {
        "team": {"id": "T1", "domain": "acme", "enterprise_id": "E1"},
        "enterprise": {"id": "E1", "name": "Acme"},
        "user": {"id": "U1", "team_id": "T1"},
        "trigger_id": "1.2.3",
        "is_enterprise_install": False,
    } | fields


def action(*actions: Any, **fields: Any) -> Json:
    """A button of a message that was pressed."""
    pressed = {"type": "button", "action_id": "results_more:2", "block_id": "buttons", "value": "{}"}
    return (
        _interaction(
            type="block_actions",
            container={
                "type": "message",
                "message_ts": "1.3",
                "channel_id": "C1",
                "is_ephemeral": False,
                "thread_ts": "1.2",
            },
            channel={"id": "C1", "name": "parts"},
            message={"type": "message", "ts": "1.3", "thread_ts": "1.2", "bot_id": "B1"},
            response_url="https://hooks.slack.com/actions/1",
            actions=list(actions or [pressed]),
        )
        | fields
    )


def action_in_view(*actions: Any, **fields: Any) -> Json:
    """A button of App Home, or of a modal."""
    view = {"id": "V1", "type": "home", "hash": "h1", "private_metadata": "{}", "app_installed_team_id": "T1"}
    inside = action(*actions) | {"container": {"type": "view", "view_id": "V1"}, "view": view} | fields
    for absent in ("channel", "message", "response_url"):
        inside.pop(absent)
    return inside


def message_shortcut(*files: Any, **fields: Any) -> Json:
    """A shortcut on a message in a thread."""
    message = {"type": "message", "user": "U2", "ts": "1.3", "thread_ts": "1.2", "text": "look", "files": [*files]}
    return (
        _interaction(
            type="message_action",
            callback_id="find_similar",
            channel={"id": "C1", "name": "parts"},
            message_ts="1.3",
            message=message,
            response_url="https://hooks.slack.com/app/1",
        )
        | fields
    )


def global_shortcut(**fields: Any) -> Json:
    """A shortcut from the search bar."""
    return _interaction(type="shortcut", callback_id="search_by_image") | fields


VALUES: Json = {
    "files": {"files": {"type": "file_input", "files": [PICTURE, PICTURE | {"id": "F2", "mimetype": "text/plain"}]}},
    "url": {"url": {"type": "url_text_input", "value": None}},
    "note": {"note": {"type": "plain_text_input", "value": "spare"}},
    "minimum": {"minimum": {"type": "number_input", "value": "8.5"}},
    "database": {"database": {"type": "static_select", "selected_option": {"value": "parts", "text": {}}}},
    "readers": {"readers": {"type": "radio_buttons", "selected_option": {"value": "me"}}},
    "hints": {"hints": {"type": "checkboxes", "selected_options": [{"value": "a"}, {"value": "b"}]}},
    "conversation": {"conversation": {"type": "conversations_select", "selected_conversation": "C1"}},
    "channel": {"channel": {"type": "conversations_select", "selected_conversation": None}},
    "top": {"top": {"type": "static_select", "selected_option": None}},
}


def submission(values: Any = None, **fields: Any) -> Json:
    """A modal that was submitted."""
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": "search_form",
        "hash": "h1",
        "private_metadata": "{}",
        "app_installed_team_id": "T1",
        "state": {"values": VALUES if values is None else values},
    }
    urls = [{"block_id": "conversation", "channel_id": "C1", "response_url": "https://hooks.slack.com/app/1"}]
    return _interaction(type="view_submission", view=view, response_urls=urls) | fields


EVENTS = (
    share(),
    share(channel_type="group", thread_ts="0.1"),
    share(type="app_mention", subtype=None),
    mention(),
    event(type="file_deleted", file_id="F1"),
    event(type="message", subtype="message_deleted", channel="C1", deleted_ts="1.2", hidden=True),
    event(
        type="message",
        subtype="message_changed",
        channel="C1",
        message={"subtype": "tombstone", "ts": "1.2"},
        previous_message={"ts": "1.2", "files": [PICTURE]},
    ),
    event(type="app_uninstalled"),
    event(type="tokens_revoked", tokens={"oauth": ["U1"], "bot": ["U0BOT"]}),
    event(type="team_access_revoked", team_ids=["T1", "T2"]),
    event(type="app_home_opened", user="U1", tab="home"),
)
INTERACTIONS = (action(), action_in_view(), message_shortcut(PICTURE), global_shortcut(), submission())

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a payload something stands."""
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [path, *(found for key, value in inside for found in places(value, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn, bodies: tuple[Json, ...]) -> Json:
    """A payload of which a few parts are missing, or are something else."""
    body = copy.deepcopy(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(0, 4))):
        *path, key = draw(st.sampled_from(places(body)[1:] or [("team_id",)]))
        inside: Any = body
        for step in path:
            inside = inside[step]
        if draw(st.booleans()) and isinstance(inside, dict):
            inside.pop(key, None)
        else:
            inside[key] = draw(anything)
    return body


def assert_well_typed(value: object, hint: Any) -> None:
    """What is in a frozen value is of the types that it declares, all the way down."""
    origin, arguments = get_origin(hint), get_args(hint)
    plain = getattr(hint, "__supertype__", hint)
    if origin is tuple and arguments[-1] is Ellipsis:
        assert isinstance(value, tuple)
        for one in value:
            assert_well_typed(one, arguments[0])
    elif origin is tuple:
        assert isinstance(value, tuple)
        for one, wanted in zip(value, arguments, strict=True):
            assert_well_typed(one, wanted)
    elif origin is Mapping:
        assert isinstance(value, Mapping)
        for key, one in value.items():
            assert_well_typed(key, arguments[0])
            assert_well_typed(one, arguments[1])
    elif dataclasses.is_dataclass(plain):
        assert type(value) is plain
        for name, wanted in get_type_hints(plain).items():
            assert_well_typed(getattr(value, name), wanted)
    else:
        assert type(value) is plain
