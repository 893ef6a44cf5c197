"""Values that a person fills into a modal, validated as Slack's client does, in the format of a submission."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fakes.slack.blocks.block_kit import length
from tests.fakes.slack.blocks.text import all_options
from tests.fakes.slack.payloads import with_identifiers
from tests.fakes.slack.values import HostedFile, Json, View

UNTOUCHED = object()

CHOSEN = {
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "users_select": ("selected_user", "initial_user"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
}
CHOSEN_SEVERAL = {
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_users_select": ("selected_users", "initial_users"),
}
TYPED = {"plain_text_input", "number_input", "url_text_input", "email_text_input"}
ONE_OPTION = {"static_select", "radio_buttons"}
SOME_OPTIONS = {"multi_static_select", "checkboxes"}

HostFile = Callable[[bytes], HostedFile]


def fields(view: View) -> list[tuple[Json, Json]]:
    """Return every block of a view that holds a value, with its element."""
    found = []
    for block in with_identifiers(view.blocks):
        candidates = [block.get("element"), block.get("accessory")]
        if block["type"] == "actions":
            candidates += block["elements"]
        found += [(block, e) for e in candidates if isinstance(e, dict) and e["type"] in _FILLERS]
    return found


def filled(view: View, values: Mapping[str, Any], host: HostFile, *, complete: bool = True) -> Json:
    """Return ``state.values`` of a view: ``values`` by block_id, and initial values elsewhere.

    Give text for text fields and choices (an option's value or its label), a list for multiple values, and files as
    bytes or hosted files. None empties a field. Raises AssertionError for input that Slack's client would refuse, such
    as an empty field that is not optional (unless ``complete`` is False).
    """
    known = fields(view)
    unknown = set(values) - {block["block_id"] for block, _ in known}
    assert not unknown, f"the form has no {sorted(unknown)}, but {[block['block_id'] for block, _ in known]}"
    state: Json = {}
    for block, element in known:
        value = values.get(block["block_id"], UNTOUCHED)
        entry = {"type": element["type"], **_FILLERS[element["type"]](element, value, view, host)}
        state.setdefault(block["block_id"], {})[element["action_id"]] = entry
        if complete and block["type"] == "input" and not block.get("optional"):
            assert any(v for k, v in entry.items() if k != "type"), f"{block['block_id']} must be filled in"
    return state


def _typed(element: Json, value: Any, view: View, host: HostFile) -> Json:
    text = element.get("initial_value") if value is UNTOUCHED else value
    if text is None or text == "":
        return {"value": None}
    text = str(text)
    most, least = element.get("max_length", 3000), element.get("min_length", 0)
    assert least <= length(text) <= most, f"{element['action_id']} takes {least} to {most} characters"
    return {"value": text}


def _option(element: Json, wanted: str) -> Json:
    options = all_options(element)
    for option in options:
        if wanted in {option["value"], option["text"]["text"]}:
            return dict(option)
    raise AssertionError(f"{element['action_id']} has no {wanted}, but {[option['value'] for option in options]}")


def _one(element: Json, value: Any, view: View, host: HostFile) -> Json:
    if value is UNTOUCHED:
        return {"selected_option": element.get("initial_option")}
    return {"selected_option": None if value is None else _option(element, str(value))}


def _some(element: Json, value: Any, view: View, host: HostFile) -> Json:
    if value is UNTOUCHED:
        return {"selected_options": element.get("initial_options", [])}
    wanted = _several(value)
    assert len(wanted) <= element.get("max_selected_items", len(wanted)), "more than may be chosen"
    return {"selected_options": [_option(element, item) for item in wanted]}


def _place(element: Json, value: Any, view: View, host: HostFile) -> Json:
    key, initial = CHOSEN[element["type"]]
    if value is not UNTOUCHED:
        return {key: value}
    begun = element.get(initial)
    if begun is None and element.get("default_to_current_conversation"):
        begun = view.channel or None
    return {key: begun}


def _places(element: Json, value: Any, view: View, host: HostFile) -> Json:
    key, initial = CHOSEN_SEVERAL[element["type"]]
    return {key: element.get(initial, []) if value is UNTOUCHED else _several(value)}


def _files(element: Json, value: Any, view: View, host: HostFile) -> Json:
    given: Sequence[bytes | HostedFile] = []
    if value is not UNTOUCHED and value is not None:
        given = [value] if isinstance(value, bytes | HostedFile) else list(value)
    assert len(given) <= element.get("max_files", 10), f"at most {element.get('max_files', 10)} files"
    files = [item if isinstance(item, HostedFile) else host(item) for item in given]
    for file in files:
        file.given_to_app = True
    return {"files": [file.stub or file.info for file in files]}


def _several(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(item) for item in value]


_FILLERS: dict[str, Callable[[Json, Any, View, HostFile], Json]] = {
    **dict.fromkeys(TYPED, _typed),
    **dict.fromkeys(ONE_OPTION, _one),
    **dict.fromkeys(SOME_OPTIONS, _some),
    **dict.fromkeys(CHOSEN, _place),
    **dict.fromkeys(CHOSEN_SEVERAL, _places),
    "file_input": _files,
}
