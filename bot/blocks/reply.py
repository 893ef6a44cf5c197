"""Messages as Slack's chat methods and response URLs take them, and the blocks that they are built from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from bot.blocks.button_state import InteractionState
from bot.blocks.ids import BlockId
from bot.blocks.limits import (
    ACCESSIBILITY_LABEL,
    BUTTON_TEXT,
    CONFIRM_BUTTON,
    CONFIRM_TEXT,
    CONFIRM_TITLE,
    HEADER_TEXT,
    MESSAGE_TEXT,
    OPTION_TEXT,
    PLACEHOLDER_TEXT,
    SECTION_TEXT,
    Block,
    escape,
    shorten,
)
from bot.blocks.mrkdwn import MAX_SENTENCE, escape_sentence, one_line
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import errors as wording


class LaterReply(Protocol):
    """A version of a reply that comes later, such as one with the text in the pictures."""

    def begin(self, edit: Callable[[Reply], Awaitable[None]]) -> None:
        """Call ``edit`` with the version when it is there. It may never come. Call this after the reply was sent."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A message, with the messages that follow because their content doesn't fit into the first.

    Attributes:
        text: for notifications and screen readers; never empty.
        blocks: what others see.
        further: the messages that follow. Each has no further ones.
        pictures: number of searched pictures that this message answers.
        marker: if set, the message can be found again in its thread by it.
        later: a version that comes later, if there may be one.

    """

    text: str
    blocks: tuple[Block, ...]
    further: tuple[Reply, ...] = ()
    pictures: int = 1
    marker: str = ""
    later: LaterReply | None = field(default=None, compare=False)

    @property
    def messages(self) -> tuple[Reply, ...]:
        """The messages to send, in order."""
        return (replace(self, further=()), *self.further)


def with_marker(reply: Reply, marker: str, name: str = BlockId.SUMMARY) -> Reply:
    """Mark a message, and name its first block, to find it again in its thread. ``name`` says what it is."""
    first, *others = reply.blocks
    marked = f"{name}:{marker}"
    return replace(reply, blocks=(first | {"block_id": marked}, *others), marker=marked)


def notice(sentence: str, block_id: str = BlockId.NOTICE) -> Reply:
    """Return one sentence that may quote a person: nothing in it becomes a mention, a link or emphasis."""
    text = escape(shorten(one_line(sentence), MAX_SENTENCE)) or wording.DID_NOT_WORK
    return Reply(text, (section(escape_sentence(sentence) or text, block_id),))


def mrkdwn_reply(mrkdwn: str, *blocks: Block) -> Reply:
    """Return a message of escaped mrkdwn, followed by further blocks."""
    return Reply(shorten(mrkdwn, MESSAGE_TEXT), (section(mrkdwn, BlockId.NOTICE), *blocks))


def section(mrkdwn: str, block_id: str = "") -> Block:
    """Return a paragraph of escaped mrkdwn."""
    return _named({"type": "section", "text": _mrkdwn(mrkdwn)}, block_id)


def context_block(mrkdwn: str, block_id: str = "") -> Block:
    """Return a line of escaped mrkdwn in small grey letters."""
    return _named({"type": "context", "elements": [_mrkdwn(mrkdwn)]}, block_id)


def verbatim(text: str, max_length: int) -> Block:
    """Return a person's text unchanged: plain_text has no mentions, links, emphasis or emoji codes."""
    return {"type": "context", "elements": [plain_text(text, max_length)]}


def heading(text: str) -> Block:
    """Return a line of plain text in large letters."""
    return {"type": "header", "text": plain_text(text, HEADER_TEXT)}


def plain_text(text: str, max_length: int) -> Block:
    """Return a text object that shows each character unchanged."""
    return {"type": "plain_text", "text": shorten(text, max_length), "emoji": False}


def button(
    text: str, action_id: str, value: str, *, style: str = "", confirm: Block | None = None, about: str = ""
) -> Block:
    """Return a button.

    Args:
        text: what is on it.
        action_id: what it does.
        value: what it carries.
        style: ``primary``, ``danger`` or empty.
        confirm: the dialog that asks before it is pressed, if there is one.
        about: what it acts on, for screen readers, where a message has several buttons with this text.

    """
    element: Block = {
        "type": "button",
        "text": plain_text(text, BUTTON_TEXT),
        "action_id": str(action_id),
        "value": value,
        **accessibility_label(text, about),
    }
    if style:
        element["style"] = style
    return element if confirm is None else element | {"confirm": confirm}


def accessibility_label(text: str, about: str) -> Block:
    """Return what screen readers call a button; nothing without ``about``.

    It begins with the button's text, so that voice control finds the button by it.
    """
    label = shorten(f"{text}: {one_line(about)}", ACCESSIBILITY_LABEL)
    return {"accessibility_label": label} if about else {}


def page_buttons(action_id: str, previous: InteractionState | None, following: InteractionState | None) -> list[Block]:
    """Return the buttons to the pages before and after this one. None: there is no such page."""
    wanted = ((labels.SHOW_PREVIOUS, "previous", previous), (labels.SHOW_MORE, "next", following))
    return [
        button(text, f"{action_id}:{way}", value)
        for text, way, state in wanted
        if state is not None and (value := state.encode()) is not None
    ]


def with_button(reply: Reply, text: str, action_id: str, state: InteractionState, *, style: str = "") -> Reply:
    """Add a row with one button that carries ``state``. Without it if Slack takes no value of that length."""
    if (value := state.encode()) is None:
        return reply
    row = buttons([button(text, action_id, value, style=style)], BlockId.BUTTONS)
    return replace(reply, blocks=(*reply.blocks, row))


def option(text: str, value: str, description: str = "") -> Block:
    """Return an option of a menu, of radio buttons or of checkboxes."""
    entry: Block = {"text": plain_text(text, OPTION_TEXT), "value": value}
    return entry | {"description": plain_text(description, OPTION_TEXT)} if description else entry


def overflow(action_id: str, options: Sequence[Block]) -> Block:
    """Return a menu of one to OVERFLOW_OPTIONS options behind three dots."""
    return {"type": "overflow", "action_id": str(action_id), "options": list(options)}


def select(placeholder: str, action_id: str, options: Sequence[Block]) -> Block:
    """Return a menu of at most OPTIONS options."""
    shown = plain_text(placeholder, PLACEHOLDER_TEXT)
    return {"type": "static_select", "action_id": str(action_id), "placeholder": shown, "options": list(options)}


def confirmation(title: str, text: str, yes: str, no: str) -> Block:
    """Return a confirmation dialog, which Slack shows before it sends the press of a button."""
    return {
        "title": plain_text(title, CONFIRM_TITLE),
        "text": plain_text(text, CONFIRM_TEXT),
        "confirm": plain_text(yes, CONFIRM_BUTTON),
        "deny": plain_text(no, CONFIRM_BUTTON),
        "style": "danger",
    }


def buttons(elements: Sequence[Block], block_id: str = "") -> Block:
    """Return a row of buttons."""
    return _named({"type": "actions", "elements": list(elements)}, block_id)


def feedback_buttons(
    action_id: str, positive: tuple[str, str], negative: tuple[str, str], block_id: str, about: str = ""
) -> Block:
    """Return a row that asks for a thumb up or down. ``positive`` and ``negative``: what it means, and the value.

    ``about``: what is judged, for screen readers, where a message has several rows. Where Slack refuses it,
    ``fallback.with_plain_buttons`` shows ordinary buttons.
    """
    element: Block = {"type": "feedback_buttons", "action_id": str(action_id)}
    for name, (text, value) in (("positive_button", positive), ("negative_button", negative)):
        element[name] = {"text": plain_text(text, BUTTON_TEXT), "value": value, **accessibility_label(text, about)}
    return _named({"type": "context_actions", "elements": [element]}, block_id)


def _mrkdwn(text: str) -> Block:
    # Without verbatim, Slack turns whatever looks like a URL into a link.
    return {"type": "mrkdwn", "text": shorten(text, SECTION_TEXT), "verbatim": True}


def _named(block: Block, block_id: str) -> Block:
    return block | {"block_id": str(block_id)} if block_id else block
