"""Slack's rules for elements of a block that can be pressed, chosen or filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.slack.blocks import text as parts
from tests.fakes.slack.blocks.text import length

Element = dict[str, Any]

IDENTIFIER = 255
BUTTON_TEXT, BUTTON_VALUE, URL, PLACEHOLDER = 75, 2000, 3000, 150
SELECT_OPTIONS, CHOICES, OVERFLOW = 100, 10, 5
ALT_TEXT = TITLE = 2000
INPUT_TEXT = 3000
FILES = 10
CONVERSATIONS = {"im", "mpim", "private", "public"}

CHOOSERS = {"static_select", "conversations_select", "channels_select", "users_select", "radio_buttons", "checkboxes"}
SEVERAL = {"multi_static_select", "multi_conversations_select", "multi_channels_select", "multi_users_select"}
DATES = {"datepicker", "timepicker"}
WHERE: dict[str, set[str]] = {
    "accessory": {"button", "image", "overflow", *CHOOSERS, *SEVERAL, *DATES},
    "actions": {"button", "overflow", *CHOOSERS, *DATES},
    "context_actions": {"feedback_buttons"},
    "input": {"plain_text_input", "number_input", "url_text_input", "email_text_input", "file_input"}
    | CHOOSERS
    | SEVERAL
    | DATES,
}
KEYS: dict[str, set[str]] = {
    "button": {"text", "url", "value", "style", "confirm", "accessibility_label"},
    "feedback_buttons": {"positive_button", "negative_button"},
    "overflow": {"options", "confirm"},
    "static_select": {"placeholder", "options", "option_groups", "initial_option", "confirm", "focus_on_load"},
    "conversations_select": {
        *("placeholder", "initial_conversation", "default_to_current_conversation", "confirm"),
        *("response_url_enabled", "filter", "focus_on_load"),
    },
    "channels_select": {"placeholder", "initial_channel", "confirm", "response_url_enabled", "focus_on_load"},
    "users_select": {"placeholder", "initial_user", "confirm", "focus_on_load"},
    "multi_static_select": {
        *("placeholder", "options", "option_groups", "initial_options", "confirm"),
        *("max_selected_items", "focus_on_load"),
    },
    "multi_conversations_select": {
        *("placeholder", "initial_conversations", "default_to_current_conversation", "confirm"),
        *("max_selected_items", "filter", "focus_on_load"),
    },
    "multi_channels_select": {"placeholder", "initial_channels", "confirm", "max_selected_items", "focus_on_load"},
    "multi_users_select": {"placeholder", "initial_users", "confirm", "max_selected_items", "focus_on_load"},
    "radio_buttons": {"options", "initial_option", "confirm", "focus_on_load"},
    "checkboxes": {"options", "initial_options", "confirm", "focus_on_load"},
    "datepicker": {"placeholder", "initial_date", "confirm", "focus_on_load"},
    "timepicker": {"placeholder", "initial_time", "timezone", "confirm", "focus_on_load"},
    "plain_text_input": {
        *("placeholder", "initial_value", "multiline", "min_length", "max_length"),
        *("dispatch_action_config", "focus_on_load"),
    },
    "number_input": {
        *("placeholder", "initial_value", "is_decimal_allowed", "min_value", "max_value"),
        *("dispatch_action_config", "focus_on_load"),
    },
    "url_text_input": {"placeholder", "initial_value", "dispatch_action_config", "focus_on_load"},
    "email_text_input": {"placeholder", "initial_value", "dispatch_action_config", "focus_on_load"},
    "file_input": {"filetypes", "max_files"},
}


def element_problems(element: Any, location: str, surface: str) -> Iterator[str]:
    """Validate an element at a place of a block: ``accessory``, ``actions`` or ``input``."""
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in WHERE[location]:
        yield f"unknown element {kind!r} in {location}"
        return
    if kind == "image":
        yield from image_problems(element)
        return
    yield from (f"{kind}: {problem}" for problem in _common(element, kind))
    yield from (f"{kind}: {problem}" for problem in _SPECIAL.get(kind, _nothing)(element))
    if element.get("response_url_enabled") and (surface != "modal" or location != "input"):
        yield f"{kind}: response_url_enabled works in input blocks of modals alone"
    if kind == "file_input" and surface != "modal":
        yield "file_input stands in modals alone"


def _common(element: Element, kind: str) -> Iterator[str]:
    yield from parts.key_problems(element, KEYS[kind] | {"type", "action_id"})
    yield from parts.string_problems(element, action_id=IDENTIFIER)
    yield from parts.named_problems(element, "placeholder", PLACEHOLDER)
    yield from parts.flag_problems(element, "focus_on_load", "multiline", "default_to_current_conversation")
    if "confirm" in element:
        yield from parts.confirm_problems(element["confirm"])
    most = element.get("max_selected_items", 1)
    if not isinstance(most, int) or most < 1:
        yield "max_selected_items is not 1 or more"


def _nothing(element: Element) -> Iterator[str]:
    return iter(())


def _button(element: Element) -> Iterator[str]:
    yield from parts.named_problems(element, "text", BUTTON_TEXT, required=True)
    yield from parts.string_problems(element, value=BUTTON_VALUE, url=URL, accessibility_label=BUTTON_TEXT)
    if element.get("style", "primary") not in parts.STYLES:
        yield "style is neither primary nor danger"


def _feedback(element: Element) -> Iterator[str]:
    for name in ("positive_button", "negative_button"):
        one = element.get(name)
        if not isinstance(one, dict):
            yield f"{name} is needed"
            continue
        yield from parts.key_problems(one, {"text", "value", "accessibility_label"})
        yield from parts.named_problems(one, "text", BUTTON_TEXT, required=True)
        yield from parts.string_problems(one, value=BUTTON_VALUE, accessibility_label=BUTTON_TEXT)
        if "value" not in one:
            yield f"{name} needs a value"


def _overflow(element: Element) -> Iterator[str]:
    yield from parts.options_problems(element.get("options"), OVERFLOW, with_url=True)


def _select(element: Element) -> Iterator[str]:
    if ("options" in element) == ("option_groups" in element):
        yield "either options or option_groups"
    if "options" in element:
        yield from parts.options_problems(element["options"], SELECT_OPTIONS)
    if "option_groups" in element:
        yield from parts.group_problems(element["option_groups"], SELECT_OPTIONS)
    yield from _initial(element)


def _choice(element: Element) -> Iterator[str]:
    yield from parts.options_problems(element.get("options"), CHOICES, kinds=parts.ANY_TEXT)
    yield from _initial(element)


def _initial(element: Element) -> Iterator[str]:
    known = parts.all_options(element)
    if "initial_option" in element and element["initial_option"] not in known:
        yield "initial_option is none of the options"
    if "initial_options" in element:
        chosen = element["initial_options"]
        if not isinstance(chosen, list) or not chosen or any(option not in known for option in chosen):
            yield "initial_options are not some of the options"


def _conversations(element: Element) -> Iterator[str]:
    chosen = element.get("filter")
    if chosen is None:
        return
    allowed = {"include", "exclude_external_shared_channels", "exclude_bot_users"}
    if not isinstance(chosen, dict) or not chosen or set(chosen) - allowed:
        yield "filter has none of its keys, or others"
        return
    yield from parts.flag_problems(chosen, "exclude_external_shared_channels", "exclude_bot_users")
    kinds = chosen.get("include", ["public"])
    if not isinstance(kinds, list) or not kinds or set(kinds) - CONVERSATIONS:
        yield "filter include"


def _plain_input(element: Element) -> Iterator[str]:
    least, most = element.get("min_length", 0), element.get("max_length", INPUT_TEXT)
    if not isinstance(least, int) or not isinstance(most, int) or not 0 <= least <= most <= INPUT_TEXT or most < 1:
        yield f"min_length and max_length within 0 to {INPUT_TEXT}"
        return
    if not isinstance(element.get("initial_value", ""), str) or length(element.get("initial_value", "")) > most:
        yield "initial_value is longer than allowed"


def _number_input(element: Element) -> Iterator[str]:
    if not isinstance(element.get("is_decimal_allowed"), bool):
        yield "is_decimal_allowed is needed"
    for name in ("initial_value", "min_value", "max_value"):
        if not isinstance(element.get(name, ""), str):
            yield f"{name} is not text"


def _file_input(element: Element) -> Iterator[str]:
    most, kinds = element.get("max_files", FILES), element.get("filetypes", ["png"])
    if not isinstance(most, int) or not 1 <= most <= FILES:
        yield f"max_files is not 1 to {FILES}"
    if not isinstance(kinds, list) or not kinds or not all(isinstance(kind, str) for kind in kinds):
        yield "filetypes is not a list of names"


def image_problems(image: Element, *, is_block: bool = False) -> Iterator[str]:
    """Validate an image, as a block or inside one."""
    yield from parts.key_problems(
        image, {"type", "image_url", "slack_file", "alt_text"} | ({"title", "block_id"} if is_block else set())
    )
    alt = image.get("alt_text")
    if not isinstance(alt, str) or not 1 <= length(alt) <= ALT_TEXT:
        yield "image needs alt_text of 1 to 2000 characters"
    if ("image_url" in image) == ("slack_file" in image):
        yield "image needs either image_url or slack_file"
    yield from parts.string_problems(image, image_url=URL)
    if "image_url" in image and not str(image["image_url"]).startswith(("https://", "http://")):
        yield "image_url is no address"
    if "slack_file" in image:
        file = image["slack_file"]
        if not isinstance(file, dict) or set(file) not in ({"id"}, {"url"}) or not all(file.values()):
            yield "slack_file needs exactly one of id and url"
    if is_block:
        yield from parts.named_problems(image, "title", TITLE)


_SPECIAL: dict[str, Callable[[Element], Iterator[str]]] = {
    "button": _button,
    "feedback_buttons": _feedback,
    "overflow": _overflow,
    "static_select": _select,
    "multi_static_select": _select,
    "conversations_select": _conversations,
    "multi_conversations_select": _conversations,
    "radio_buttons": _choice,
    "checkboxes": _choice,
    "plain_text_input": _plain_input,
    "number_input": _number_input,
    "file_input": _file_input,
}
