"""Simpler versions of a message that Slack refused."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.limits import Block
from bot.blocks.reply import button, buttons


def without_pictures(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Remove every picture: Slack refuses a whole message if it can't fetch or show one picture."""
    kept = []
    for block in blocks:
        if block.get("type") == "image":
            continue
        lighter = {name: value for name, value in block.items() if not (name == "accessory" and _is_picture(value))}
        if block.get("type") == "context":
            lighter["elements"] = [element for element in block["elements"] if not _is_picture(element)]
            if not lighter["elements"]:
                continue
        kept.append(lighter)
    return tuple(kept)


def with_plain_buttons(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Replace rows that ask for a thumb up or down by ordinary buttons, for a Slack that doesn't know them."""
    return tuple(
        buttons([each for element in block["elements"] for each in _plain(element)], str(block.get("block_id", "")))
        if block.get("type") == "context_actions"
        else block
        for block in blocks
    )


def _plain(element: Block) -> list[Block]:
    return [
        button(element[name]["text"]["text"], f"{element['action_id']}:{name}", element[name]["value"])
        | {key: label for key, label in element[name].items() if key == "accessibility_label"}
        for name in ("positive_button", "negative_button")
    ]


def slack_files(blocks: Sequence[Block]) -> frozenset[str]:
    """Return the ids of the Slack files that the blocks show."""
    shown = [block for block in blocks if _is_picture(block)]
    shown += [block["accessory"] for block in blocks if _is_picture(block.get("accessory", {}))]
    return frozenset(picture["slack_file"]["id"] for picture in shown if "id" in picture.get("slack_file", {}))


def _is_picture(element: Block) -> bool:
    return element.get("type") == "image"
