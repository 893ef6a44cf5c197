"""Slack's rules for blocks in messages, modals and Home tabs, as far as they are documented."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

from tests.fakes.slack.blocks import text as parts
from tests.fakes.slack.blocks.elements import element_problems, image_problems
from tests.fakes.slack.blocks.text import length

__all__ = ["Surface", "length", "problems", "too_long", "view_problems"]

Surface = Literal["message", "modal", "home"]

MOST_BLOCKS = {"message": 50, "modal": 100, "home": 100}
TOTAL_CHARACTERS = 13_200
VIEW_BYTES = 250_000
HEADER, SECTION, FIELD, CONTEXT, MARKDOWN, LABEL = 150, 3000, 2000, 3000, 12_000, 2000
IDENTIFIER = 255
FIELDS = 10
ELEMENTS = {"actions": 25, "context": 10, "context_actions": 5}
TITLE = 24
METADATA = 3000
KEYS = {
    "header": {"text"},
    "section": {"text", "fields", "accessory", "expand"},
    "context": {"elements"},
    "divider": set[str](),
    "actions": {"elements"},
    "context_actions": {"elements"},
    "image": {"image_url", "slack_file", "alt_text", "title"},
    "input": {"label", "element", "hint", "optional", "dispatch_action"},
    "markdown": {"text"},
}
VIEW_KEYS = {"type", "blocks", "private_metadata", "callback_id", "external_id"}
MODAL_KEYS = VIEW_KEYS | {"title", "submit", "close", "clear_on_close", "notify_on_close", "submit_disabled"}


def problems(blocks: object, surface: Surface = "message") -> list[str]:
    """Return the reasons for which Slack would answer ``invalid_blocks``."""
    if not isinstance(blocks, list):
        return ["blocks is not a list"]
    most = MOST_BLOCKS[surface]
    found = [f"{len(blocks)} blocks"] if len(blocks) > most else []
    identifiers: list[str] = []
    for location, block in enumerate(blocks):
        found += [f"block {location}: {problem}" for problem in _block(block, surface)]
        if isinstance(block, dict) and "block_id" in block:
            identifiers.append(block["block_id"])
    if len(set(identifiers)) != len(identifiers):
        found.append("a block_id occurs twice")
    if sum(element.get("focus_on_load") is True for element in interactive(blocks)) > 1:
        found.append("focus_on_load occurs twice")
    return found


def too_long(blocks: list[dict[str, Any]]) -> bool:
    """Return whether Slack would answer ``msg_blocks_too_long``."""
    return length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > TOTAL_CHARACTERS


def view_problems(view: object) -> list[str]:
    """Return the reasons for which Slack would refuse a modal or a Home tab."""
    if not isinstance(view, dict) or view.get("type") not in {"modal", "home"}:
        return ["a view is an object of type modal or home"]
    surface: Surface = view["type"]
    found = list(parts.key_problems(view, MODAL_KEYS if surface == "modal" else VIEW_KEYS))
    found += problems(view.get("blocks"), surface)
    if not isinstance(view.get("private_metadata", ""), str) or length(view.get("private_metadata", "")) > METADATA:
        found.append(f"private_metadata has more than {METADATA} characters")
    for name in ("callback_id", "external_id"):
        if not isinstance(view.get(name, ""), str) or length(view.get(name, "")) > IDENTIFIER:
            found.append(f"{name} has more than {IDENTIFIER} characters")
    if surface == "modal":
        found += _modal(view)
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        found.append(f"view_too_large: more than {VIEW_BYTES} bytes")
    return found


def _modal(view: dict[str, Any]) -> Iterator[str]:
    yield from parts.named_problems(view, "title", TITLE, required=True)
    has_fields = any(isinstance(block, dict) and block.get("type") == "input" for block in view.get("blocks") or [])
    yield from parts.named_problems(view, "submit", TITLE, required=has_fields)
    yield from parts.named_problems(view, "close", TITLE)
    yield from parts.flag_problems(view, "clear_on_close", "notify_on_close", "submit_disabled")


def interactive(blocks: object) -> Iterator[dict[str, Any]]:
    """Yield every interactive element of the blocks, in order."""
    for block in blocks if isinstance(blocks, list) else []:
        if not isinstance(block, dict):
            continue
        listed = block.get("elements")
        for element in [block.get("accessory"), block.get("element"), *(listed if isinstance(listed, list) else [])]:
            if isinstance(element, dict):
                yield element


def _block(block: Any, surface: Surface) -> Iterator[str]:
    if not isinstance(block, dict):
        yield "is not an object"
        return
    kind = block.get("type")
    if kind not in KEYS or (kind in {"markdown", "context_actions"} and surface != "message"):
        yield f"unknown type {kind!r}"
        return
    yield from parts.key_problems(block, KEYS[kind] | {"type", "block_id"})
    yield from parts.string_problems(block, block_id=IDENTIFIER)
    yield from _KINDS[kind](block, surface)


def _header(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    yield from parts.text_problems(block.get("text"), HEADER, parts.PLAIN)


def _section(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    fields = block.get("fields", [])
    if "text" not in block and not fields:
        yield "section without text or fields"
    if "text" in block:
        yield from parts.text_problems(block["text"], SECTION)
    if not isinstance(fields, list) or len(fields) > FIELDS or ("fields" in block and not fields):
        yield f"section needs 1 to {FIELDS} fields, or none at all"
        return
    for field in fields:
        yield from parts.text_problems(field, FIELD)
    if "accessory" in block:
        yield from element_problems(block["accessory"], "accessory", surface)


def _actions(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= ELEMENTS["actions"]:
        yield f"actions needs 1 to {ELEMENTS['actions']} elements"
        return
    for element in elements:
        yield from element_problems(element, "actions", surface)
    identifiers = [e["action_id"] for e in elements if isinstance(e, dict) and "action_id" in e]
    if len(set(identifiers)) != len(identifiers):
        yield "an action_id occurs twice"


def _context_actions(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= ELEMENTS["context_actions"]:
        yield f"context_actions needs 1 to {ELEMENTS['context_actions']} elements"
        return
    for element in elements:
        yield from element_problems(element, "context_actions", surface)


def _context(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= ELEMENTS["context"]:
        yield f"context needs 1 to {ELEMENTS['context']} elements"
        return
    for element in elements:
        if isinstance(element, dict) and element.get("type") == "image":
            yield from image_problems(element)
        else:
            yield from parts.text_problems(element, CONTEXT)


def _image(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    yield from image_problems(block, is_block=True)


def _input(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    yield from parts.named_problems(block, "label", LABEL, required=True)
    yield from parts.named_problems(block, "hint", LABEL)
    yield from parts.flag_problems(block, "optional", "dispatch_action")
    yield from element_problems(block.get("element"), "input", surface)


def _markdown(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    if not isinstance(block.get("text"), str) or not 1 <= length(block["text"]) <= MARKDOWN:
        yield f"markdown needs 1 to {MARKDOWN} characters"


def _divider(block: dict[str, Any], surface: Surface) -> Iterator[str]:
    return iter(())


_KINDS: dict[str, Callable[[dict[str, Any], Surface], Iterator[str]]] = {
    "header": _header,
    "section": _section,
    "actions": _actions,
    "context": _context,
    "context_actions": _context_actions,
    "image": _image,
    "input": _input,
    "markdown": _markdown,
    "divider": _divider,
}
