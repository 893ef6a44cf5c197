"""The modals, from values to views. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.blocks.button_state import MAX_METADATA, FormState, NameState
from bot.blocks.ids import ActionId, InputId, ViewId
from bot.blocks.limits import VIEW_TITLE, Block
from bot.blocks.modal_fields import choice, database_field, input_block, option, text_input
from bot.blocks.reply import button, buttons, plain_text, section
from bot.blocks.wording import channel_link, count_images, database_size, escape_sentence, points
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import MAX_NOTE

ViewPayload = dict[str, Any]

MAX_FILES = 10
RESULT_COUNTS = ("1", "3", "5", "10", "20", "50")
DEFAULT_RESULT_COUNT = "5"

ONLY_ME, CHANNEL = "me", "channel"
HINTS = "hints"
MAX_URL = 3000
MAX_ENTITY = 64
MAX_NAME = 64

_NAME_HINT = "2 to 64 of a-z, 0-9 and _."
_ENTITY_HINT = "1 to 64 of a-z, 0-9 and _. Without one, the file's name serves."


def search_form(
    databases: Sequence[DatabaseInfo],
    state: FormState,
    *,
    chosen: str = "",
    url: str = "",
    with_conversation: bool = False,
) -> ViewPayload:
    """Pictures or an address, what to look in, and who sees the answer."""
    if not databases:
        return _no_database_view(state)
    # No filetypes: Slack would go by the name, and we look at the content.
    files: Block = {"type": "file_input", "max_files": MAX_FILES}
    blocks = [
        input_block(InputId.FILES, "Pictures", files, hint=f"Up to {MAX_FILES} at once.", optional=True),
        input_block(
            InputId.URL,
            "Or the address of one",
            text_input(initial=url, max_length=MAX_URL, placeholder="https://example.com/valve.jpg"),
            optional=True,
        ),
        database_field(databases, chosen),
        input_block(
            InputId.TOP,
            "Matches to show",
            choice(
                "static_select",
                [option(f"The best {top}" if top != "1" else "The best", top) for top in RESULT_COUNTS],
                DEFAULT_RESULT_COUNT,
            ),
        ),
        input_block(InputId.READERS, "Who sees the answer", choice("radio_buttons", _READERS, ONLY_ME)),
    ]
    if with_conversation:
        blocks.append(_conversation_field())
    return _form(ViewId.SEARCH, "Find similar images", "Search", blocks, state)


def another_database_form(databases: Sequence[DatabaseInfo], state: FormState) -> ViewPayload:
    """The same search, elsewhere."""
    others = [info for info in databases if info.key.name != state.database] or list(databases)
    if not others:
        return _no_database_view(state)
    title = "Search another database" if state.database else "Search a database"
    return _form(ViewId.ANOTHER_DATABASE, title, "Search", [database_field(others, "")], state)


def add_form(
    databases: Sequence[DatabaseInfo],
    state: FormState,
    *,
    chosen: str = "",
    entity: str = "",
    note: str = "",
    images: int = 1,
) -> ViewPayload:
    """Where a picture goes and what it is; several share one entity and note."""
    if not databases:
        return _no_database_view(state)
    several = [section(f"All {count_images(images)} get the same entity and note.")] if images > 1 else []
    blocks = [
        *several,
        database_field(databases, chosen),
        input_block(
            InputId.ENTITY,
            "Entity: what it shows",
            text_input(initial=entity, max_length=MAX_ENTITY, placeholder="valve_0042"),
            hint=_ENTITY_HINT,
            optional=True,
        ),
        input_block(
            InputId.NOTE,
            "Note",
            text_input(initial=note, max_length=MAX_NOTE, placeholder="Ball valve, DN 25", multiline=True),
            optional=True,
        ),
    ]
    return _form(ViewId.ADD, "Add to image database", "Add", blocks, state)


def create_database_form(state: FormState, *, name: str = "") -> ViewPayload:
    """A name for a new database."""
    typed = text_input(initial=name, max_length=MAX_NAME, min_length=2, placeholder="product_photos")
    return _form(
        ViewId.CREATE_DATABASE,
        "Create a database",
        "Create",
        [input_block(InputId.NAME, "Name", typed, hint=_NAME_HINT)],
        state,
    )


def delete_database_form(info: DatabaseInfo, state: FormState) -> ViewPayload:
    """Asks for the name to be typed: this can't be undone."""
    name = info.key.name
    blocks = [
        section(f"This deletes {database_size(info)} for everybody. It can't be undone."),
        input_block(InputId.NAME, f"Type {name} to delete it", text_input(max_length=MAX_NAME, placeholder=name)),
    ]
    return _form(ViewId.DELETE_DATABASE, "Delete a database", "Delete", blocks, replace(state, database=name))


def database_settings_form(info: DatabaseInfo, state: FormState) -> ViewPayload:
    """What can be set for a database."""
    hint = option("Say that there are matches which they may not see", HINTS, "How many, and nothing else of them.")
    boxes: Block = {"type": "checkboxes", "options": [hint]}
    if info.hints_at_hidden:
        boxes["initial_options"] = [hint]
    blocks = [
        section(f"{database_size(info)}\nImages from private places are shown only to people who can read those."),
        input_block(InputId.HINTS, "To everybody else", boxes, optional=True),
    ]
    state = replace(state, database=str(info.key.name))
    return _form(ViewId.DATABASE_SETTINGS, "Database settings", "Save", blocks, state)


def watch_form(
    databases: Sequence[DatabaseInfo], binding: ChannelBinding | None, state: FormState, *, channel: str = ""
) -> ViewPayload:
    """What happens to images shared in a channel; without ``channel`` it is asked for too."""
    if not databases:
        return _no_database_view(state)
    known = binding is not None and binding.mode is not ChannelMode.OFF
    mode = binding.mode if binding is not None and known else ChannelMode.LOOKUP
    chosen = str(binding.database or "") if binding is not None else ""
    minimum = "" if binding is None or binding.minimum is None else points(binding.minimum)
    blocks = [
        section(f"Images shared in {channel_link(channel)}") if channel else _channel_field(),
        input_block(InputId.MODE, "What I do with them", choice("radio_buttons", _MODES, mode)),
        database_field(databases, chosen),
        input_block(
            InputId.MINIMUM,
            "Least score",
            text_input(initial=minimum, max_length=5, placeholder="9"),
            hint="0 to 10. Without one, I report from 9 on and look up from 5 on.",
            optional=True,
        ),
    ]
    if channel:
        state = replace(state, channel=channel)
    return _form(ViewId.WATCH, "Watch a channel", "Save", blocks, state)


def waiting_view(text: str) -> ViewPayload:
    """Stands there while something takes its time; our sentence."""
    return text_view("One moment", text)


def text_view(title: str, text: str) -> ViewPayload:
    """Says something that may quote somebody."""
    return _view(ViewId.NOTE, title, [section(escape_sentence(text) or "That did not work.")], None)


_READERS = (
    option("Only me", ONLY_ME),
    option("Everybody in the channel", CHANNEL),
)

_MODES = (
    option("Look them up", ChannelMode.LOOKUP, "I answer in the image's thread."),
    option("Collect them", ChannelMode.COLLECT, "I add each one; a reaction says that it is done."),
    option("Guard against copies", ChannelMode.GUARD, "I report those that are there already, and add the rest."),
)


def _conversation_field() -> Block:
    element: Block = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        # Lets us answer where the bot is no member.
        "response_url_enabled": True,
        "filter": {"exclude_bot_users": True},
    }
    return input_block(InputId.CONVERSATION, "Channel for the answer", element, optional=True)


def _channel_field() -> Block:
    element: Block = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        "filter": {"include": ["public", "private"]},
    }
    return input_block(InputId.CHANNEL, "Channel", element, hint="Invite me to it, or I don't see its images.")


def _no_database_view(state: FormState) -> ViewPayload:
    value = NameState(channel=state.channel).encode() or ""
    blocks = [
        section("There is no image database yet. Create one, then add pictures to it."),
        buttons([button("Create a database", ActionId.CREATE_DATABASE, value, style="primary")]),
    ]
    return _view(ViewId.NOTE, "No image database yet", blocks, state)


def _form(view: ViewId, title: str, submit: str, blocks: Sequence[Block], state: FormState) -> ViewPayload:
    return _view(view, title, blocks, state) | {
        "submit": plain_text(submit, VIEW_TITLE),
        "close": plain_text("Cancel", VIEW_TITLE),
    }


def _view(view: ViewId, title: str, blocks: Sequence[Block], state: FormState | None) -> ViewPayload:
    return {
        "type": "modal",
        "callback_id": str(view),
        "title": plain_text(title, VIEW_TITLE),
        "close": plain_text("Close", VIEW_TITLE),
        "blocks": list(blocks),
        "private_metadata": (state.encode(MAX_METADATA) or "") if state is not None else "",
    }
