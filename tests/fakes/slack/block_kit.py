"""Slack's rules for blocks in messages, as far as the platform documents them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MESSAGE_BLOCKS = 50
TOTAL_CHARACTERS = 13_200
TEXT = {"header": 150, "section": 3000, "field": 2000, "context": 3000, "button": 75}
ALT_TEXT = IMAGE_TITLE = 2000
URL = 3000
IDENTIFIER = 255
FIELDS = 10
ELEMENTS = {"actions": 25, "context": 10}
BUTTON_VALUE = 2000
KEYS = {
    "header": {"text"},
    "section": {"text", "fields", "accessory", "expand"},
    "context": {"elements"},
    "divider": set[str](),
    "actions": {"elements"},
    "image": {"image_url", "slack_file", "alt_text", "title"},
}


def length(text: str) -> int:
    """Characters as a JavaScript program counts them."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def problems(blocks: object) -> list[str]:
    """What Slack would answer ``invalid_blocks`` for; empty when all is well."""
    if not isinstance(blocks, list):
        return ["blocks is not a list"]
    found = [f"{len(blocks)} blocks"] if len(blocks) > MESSAGE_BLOCKS else []
    identifiers: list[str] = []
    for place, block in enumerate(blocks):
        found += [f"block {place}: {problem}" for problem in _block(block)]
        if isinstance(block, dict) and "block_id" in block:
            identifiers.append(block["block_id"])
    if len(set(identifiers)) != len(identifiers):
        found.append("a block_id occurs twice")
    return found


def too_long(blocks: list[dict[str, Any]]) -> bool:
    """Whether Slack would answer ``msg_blocks_too_long``."""
    return length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > TOTAL_CHARACTERS


def _block(block: Any) -> Iterator[str]:
    if not isinstance(block, dict):
        yield "is not an object"
        return
    kind = block.get("type")
    if kind not in KEYS:
        yield f"unknown type {kind!r}"
        return
    if unknown := set(block) - KEYS[kind] - {"type", "block_id"}:
        yield f"unknown keys {sorted(unknown)}"
    if length(block.get("block_id", "")) > IDENTIFIER:
        yield "block_id too long"
    if kind == "header":
        yield from _text(block.get("text"), TEXT["header"], kinds=("plain_text",))
    elif kind == "section":
        yield from _section(block)
    elif kind in ELEMENTS:
        yield from _elements(block, kind)
    elif kind == "image":
        yield from _image(block)


def _section(block: dict[str, Any]) -> Iterator[str]:
    fields = block.get("fields", [])
    if "text" not in block and not fields:
        yield "section without text or fields"
    if "text" in block:
        yield from _text(block["text"], TEXT["section"])
    if len(fields) > FIELDS:
        yield "too many fields"
    for field in fields:
        yield from _text(field, TEXT["field"])
    if "accessory" in block:
        yield from _element(block["accessory"])


def _elements(block: dict[str, Any], kind: str) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= ELEMENTS[kind]:
        yield f"{kind} needs 1 to {ELEMENTS[kind]} elements"
        return
    for element in elements:
        if kind == "context" and isinstance(element, dict) and element.get("type") in {"plain_text", "mrkdwn"}:
            yield from _text(element, TEXT["context"])
        else:
            yield from _element(element)


def _element(element: Any) -> Iterator[str]:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind == "image":
        yield from _image(element)
    elif kind == "button":
        yield from _text(element.get("text"), TEXT["button"], kinds=("plain_text",))
        if length(element.get("value", "")) > BUTTON_VALUE or length(element.get("action_id", "")) > IDENTIFIER:
            yield "button value or action_id too long"
    else:
        yield f"unknown element {kind!r}"


def _image(block: dict[str, Any]) -> Iterator[str]:
    if not 1 <= length(block.get("alt_text", "")) <= ALT_TEXT:
        yield "image needs alt_text of 1 to 2000 characters"
    if ("image_url" in block) == ("slack_file" in block):
        yield "image needs either image_url or slack_file"
    if length(block.get("image_url", "")) > URL:
        yield "image_url too long"


def _text(value: Any, most: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("type") not in kinds or not isinstance(value.get("text"), str):
        yield f"not a text object of {kinds}"
        return
    if not 1 <= length(value["text"]) <= most:
        yield f"text has {length(value['text'])} characters, 1 to {most} are allowed"
    allowed = {"type", "text", "emoji"} if value["type"] == "plain_text" else {"type", "text", "verbatim"}
    if unknown := set(value) - allowed:
        yield f"unknown text keys {sorted(unknown)}"
