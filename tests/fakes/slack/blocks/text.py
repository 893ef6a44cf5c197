"""Slack's rules for the smallest parts of blocks: text, options and confirmation dialogs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PLAIN = ("plain_text",)
ANY_TEXT = ("plain_text", "mrkdwn")
OPTION_TEXT, OPTION_VALUE, OPTION_URL = 75, 150, 3000
CONFIRM = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
STYLES = {"primary", "danger"}


def length(text: str) -> int:
    """Return the number of UTF-16 code units, which JavaScript counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def text_problems(value: Any, most: int, kinds: tuple[str, ...] = ANY_TEXT) -> Iterator[str]:
    """Validate a text object."""
    if not isinstance(value, dict) or value.get("type") not in kinds or not isinstance(value.get("text"), str):
        yield f"not a text object of {kinds}"
        return
    if not 1 <= length(value["text"]) <= most:
        yield f"text has {length(value['text'])} characters, 1 to {most} are allowed"
    flag = "emoji" if value["type"] == "plain_text" else "verbatim"
    if unknown := set(value) - {"type", "text", flag}:
        yield f"unknown text keys {sorted(unknown)}"
    if not isinstance(value.get(flag, False), bool):
        yield f"{flag} is not true or false"


def named_problems(owner: dict[str, Any], name: str, most: int, *, required: bool = False) -> Iterator[str]:
    """Validate a plain text object under a key."""
    if name in owner or required:
        for problem in text_problems(owner.get(name), most, PLAIN):
            yield f"{name}: {problem}"


def string_problems(owner: dict[str, Any], **most: int) -> Iterator[str]:
    """Validate optional strings, which must not be empty or too long."""
    for name, limit in most.items():
        value = owner.get(name, "-")
        if not isinstance(value, str) or not 1 <= length(value) <= limit:
            yield f"{name} is not 1 to {limit} characters"


def flag_problems(owner: dict[str, Any], *names: str) -> Iterator[str]:
    """Validate optional booleans."""
    for name in names:
        if not isinstance(owner.get(name, False), bool):
            yield f"{name} is not true or false"


def key_problems(owner: dict[str, Any], allowed: set[str]) -> Iterator[str]:
    """Report unknown keys."""
    if unknown := set(owner) - allowed:
        yield f"unknown keys {sorted(unknown)}"


def confirm_problems(dialog: Any) -> Iterator[str]:
    """Validate a confirmation dialog."""
    if not isinstance(dialog, dict):
        yield "confirm is not an object"
        return
    yield from key_problems(dialog, {*CONFIRM, "style"})
    for name, most in CONFIRM.items():
        kinds = ANY_TEXT if name == "text" else PLAIN
        for problem in text_problems(dialog.get(name), most, kinds):
            yield f"confirm {name}: {problem}"
    if dialog.get("style", "primary") not in STYLES:
        yield "confirm style"


def option_problems(option: Any, *, kinds: tuple[str, ...] = PLAIN, with_url: bool = False) -> Iterator[str]:
    """Validate one option."""
    if not isinstance(option, dict):
        yield "option is not an object"
        return
    yield from key_problems(option, {"text", "value", "description"} | ({"url"} if with_url else set()))
    for problem in text_problems(option.get("text"), OPTION_TEXT, kinds):
        yield f"option text: {problem}"
    value = option.get("value")
    if not isinstance(value, str) or not 1 <= length(value) <= OPTION_VALUE:
        yield f"option value is not 1 to {OPTION_VALUE} characters"
    if "description" in option:
        for problem in text_problems(option["description"], OPTION_TEXT, kinds):
            yield f"option description: {problem}"
    yield from string_problems(option, url=OPTION_URL)


def options_problems(
    options: Any, most: int, *, kinds: tuple[str, ...] = PLAIN, with_url: bool = False
) -> Iterator[str]:
    """Validate a list of options."""
    if not isinstance(options, list) or not 1 <= len(options) <= most:
        yield f"1 to {most} options are needed"
        return
    for option in options:
        yield from option_problems(option, kinds=kinds, with_url=with_url)


def group_problems(groups: Any, most: int) -> Iterator[str]:
    """Validate a list of option groups."""
    if not isinstance(groups, list) or not 1 <= len(groups) <= most:
        yield f"1 to {most} option groups are needed"
        return
    for group in groups:
        if not isinstance(group, dict):
            yield "option group is not an object"
            continue
        yield from key_problems(group, {"label", "options"})
        yield from named_problems(group, "label", OPTION_TEXT, required=True)
        yield from options_problems(group.get("options"), most)


def all_options(element: dict[str, Any]) -> list[Any]:
    """Return the options of an element, including those in groups."""
    groups = [group for group in element.get("option_groups") or [] if isinstance(group, dict)]
    return [*(element.get("options") or []), *(option for group in groups for option in group.get("options") or [])]
