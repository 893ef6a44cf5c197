"""The bot's modals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.blocks.button_state import (
    MAX_METADATA,
    NOTHING_ENTERED,
    FormInput,
    FormState,
    LearningState,
    NameState,
    SearchState,
    decode_searches,
)
from bot.blocks.ids import ActionId, InputId, ViewId
from bot.blocks.limits import VIEW_TITLE, Block
from bot.blocks.modal_fields import (
    choice,
    database_field,
    entity_and_note_fields,
    files_field,
    input_block,
    pictures_field,
    text_input,
    url_field,
    words_field,
)
from bot.blocks.mrkdwn import code, escape_sentence, points
from bot.blocks.reply import button, buttons, confirmation, context_block, option, plain_text, section
from bot.blocks.rule_fields import rule_fields
from bot.blocks.wording import buttons as labels
from bot.blocks.wording import errors
from bot.blocks.wording import forms as wording
from bot.blocks.wording.channels import feedback as feedback_wording
from bot.blocks.wording.home import created
from bot.domain.catalogue import DatabaseInfo
from bot.domain.channels import DEFAULT_RULES, ChannelBinding, ChannelMode
from bot.domain.channels.feedback import LearnedScores
from bot.domain.links import EXAMPLE, MAX_TEMPLATE

ViewPayload = dict[str, Any]

RESULT_COUNTS = ("1", "3", "5", "10", "20", "50")
DEFAULT_RESULT_COUNT = "5"

ONLY_ME, CHANNEL = "me", "channel"
HINTS = "hints"
MAX_NAME = 64


def search_form(
    databases: Sequence[DatabaseInfo],
    state: FormState,
    *,
    entered: FormInput = NOTHING_ENTERED,
    with_conversation: bool = False,
) -> ViewPayload:
    """Return the search form.

    Args:
        databases: the databases to choose from.
        state: where the form was opened.
        entered: what the fields hold. Files can't be put back into their field, so they are in its state too.
        with_conversation: whether there is a field for the channel that the results go to.

    """
    if not databases:
        return no_database_view(state)
    kept = [search for search in decode_searches(entered.searches) if search.file] if entered.searches else []
    blocks = [
        *([section(wording.kept_files([code(search.name, "?") for search in kept]))] if kept else []),
        files_field(),
        url_field(entered.url),
        words_field(entered.words),
        database_field(databases, entered.database, or_all=True),
        input_block(
            InputId.TOP,
            wording.TOP_LABEL,
            choice(
                "static_select",
                [option(wording.top_option(top), top) for top in RESULT_COUNTS],
                str(entered.top) if str(entered.top) in RESULT_COUNTS else DEFAULT_RESULT_COUNT,
            ),
        ),
        input_block(
            InputId.READERS,
            wording.READERS_LABEL,
            choice("radio_buttons", _READERS, CHANNEL if entered.for_everyone else ONLY_ME),
        ),
    ]
    if with_conversation:
        blocks.append(_conversation_field())
    return form(ViewId.SEARCH, wording.SEARCH_TITLE, wording.SEARCH_SUBMIT, blocks, state)


def another_database_form(databases: Sequence[DatabaseInfo], state: FormState) -> ViewPayload:
    """Return the form that repeats a search in another database, or runs it where no database was named."""
    others = [info for info in databases if info.key.name != state.database] or list(databases)
    if not others:
        return no_database_view(state)
    title = wording.SEARCH_ANOTHER_TITLE if state.database else wording.SEARCH_A_DATABASE_TITLE
    return form(ViewId.ANOTHER_DATABASE, title, wording.SEARCH_SUBMIT, [database_field(others, "", or_all=True)], state)


def add_form(
    databases: Sequence[DatabaseInfo],
    state: FormState,
    *,
    chosen: str = "",
    entity: str = "",
    note: str = "",
    searches: Sequence[SearchState] = (),
) -> ViewPayload:
    """Return the form that adds images. If there are several, people choose which of them get the id and the note."""
    if not databases:
        return no_database_view(state)
    several = [section(wording.shared_fields(len(searches))), pictures_field(searches)] if len(searches) > 1 else []
    blocks = [
        *several,
        database_field(databases, chosen),
        *entity_and_note_fields(entity, note, entity_hint=wording.ENTITY_HINT),
    ]
    return form(ViewId.ADD, wording.ADD_TITLE, wording.ADD_SUBMIT, blocks, state)


def create_database_form(state: FormState, *, name: str = "") -> ViewPayload:
    """Return the form that creates a database."""
    typed = text_input(initial=name, max_length=MAX_NAME, min_length=2, placeholder=wording.NAME_PLACEHOLDER)
    return form(
        ViewId.CREATE_DATABASE,
        wording.CREATE_TITLE,
        wording.CREATE_SUBMIT,
        [input_block(InputId.NAME, wording.NAME_LABEL, typed, hint=wording.NAME_HINT)],
        state,
    )


def delete_database_form(info: DatabaseInfo, state: FormState) -> ViewPayload:
    """Return the form that deletes a database. The person types its name, since this can't be undone."""
    name = info.key.name
    blocks = [
        section(wording.delete_warning(info)),
        input_block(InputId.NAME, wording.type_name(name), text_input(max_length=MAX_NAME, placeholder=name)),
    ]
    return form(
        ViewId.DELETE_DATABASE, wording.DELETE_TITLE, wording.DELETE_SUBMIT, blocks, replace(state, database=name)
    )


def database_settings_form(info: DatabaseInfo, state: FormState, learned: LearnedScores | None = None) -> ViewPayload:
    """Return the form with a database's settings. ``learned``: what it learned, which a button undoes."""
    hint = option(wording.HINTS_OPTION, HINTS, wording.HINTS_DESCRIPTION)
    boxes: Block = {"type": "checkboxes", "options": [hint]}
    if info.hints_at_hidden:
        boxes["initial_options"] = [hint]
    blocks = [
        section(wording.settings_text(info)),
        context_block(created(info)),
        input_block(InputId.HINTS, wording.HINTS_LABEL, boxes, optional=True),
        input_block(
            InputId.LINK,
            wording.LINK_LABEL,
            text_input(initial=info.link, max_length=MAX_TEMPLATE, placeholder=EXAMPLE),
            hint=wording.LINK_HINT,
            optional=True,
        ),
        *([context_block(feedback_wording.learned(learned))] if learned else []),
        buttons([*([_undo_button(info, learned)] if learned else []), _delete_button(info)]),
    ]
    state = replace(state, database=str(info.key.name))
    return form(ViewId.DATABASE_SETTINGS, wording.SETTINGS_TITLE, wording.SAVE, blocks, state)


def _undo_button(info: DatabaseInfo, learned: LearnedScores) -> Block:
    state = LearningState(database=info.key.name, learned=str(learned.id))
    label = feedback_wording.UNDO if learned.model is not None else feedback_wording.RESTORE
    return button(label, ActionId.UNDO_LEARNING, state.encode() or "")


def _delete_button(info: DatabaseInfo) -> Block:
    """Return the button that leads to the form in which the database's name has to be typed."""
    ask = confirmation(*wording.delete_database_confirmation(info), labels.DELETE_DATABASE, labels.KEEP)
    value = NameState(database=info.key.name).encode() or ""
    return button(labels.DELETE_DATABASE, ActionId.DELETE_DATABASE, value, style="danger", confirm=ask)


def watch_form(
    databases: Sequence[DatabaseInfo], binding: ChannelBinding | None, state: FormState, *, channel: str = ""
) -> ViewPayload:
    """Return the form that sets a channel's mode; without ``channel`` it asks for the channel too."""
    if not databases:
        return no_database_view(state)
    known = binding is not None and binding.mode is not ChannelMode.OFF
    mode = binding.mode if binding is not None and known else ChannelMode.LOOKUP
    chosen = str(binding.database or "") if binding is not None else ""
    minimum = "" if binding is None or binding.minimum is None else points(binding.minimum)
    blocks = [
        section(wording.images_shared_in(channel)) if channel else _channel_field(),
        input_block(InputId.MODE, wording.MODE_LABEL, choice("radio_buttons", _MODES, mode)),
        database_field(databases, chosen),
        input_block(
            InputId.MINIMUM,
            wording.MINIMUM_LABEL,
            text_input(initial=minimum, max_length=5, placeholder=wording.MINIMUM_PLACEHOLDER),
            hint=wording.MINIMUM_HINT,
            optional=True,
        ),
        *rule_fields(binding.rules if binding is not None and mode is ChannelMode.GUARD else DEFAULT_RULES),
    ]
    if channel:
        state = replace(state, channel=channel)
    return form(ViewId.WATCH, wording.WATCH_TITLE, wording.SAVE, blocks, state)


def text_view(title: str, text: str) -> ViewPayload:
    """Return a view with one text, which may quote a person."""
    return _view(ViewId.NOTE, title, [section(escape_sentence(text) or errors.DID_NOT_WORK)], None)


def message_view(view: ViewId, title: str, blocks: Sequence[Block]) -> ViewPayload:
    """Return a view that shows blocks and has no fields."""
    return _view(view, title, blocks, None)


_READERS = (
    option(wording.ONLY_ME, ONLY_ME),
    option(wording.EVERYONE, CHANNEL),
)

_MODES = (
    option(wording.LOOKUP, ChannelMode.LOOKUP, wording.LOOKUP_DESCRIPTION),
    option(wording.COLLECT, ChannelMode.COLLECT, wording.COLLECT_DESCRIPTION),
    option(wording.GUARD, ChannelMode.GUARD, wording.GUARD_DESCRIPTION),
)


def _conversation_field() -> Block:
    element: Block = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        # The response URL lets the bot answer in channels that it is not a member of.
        "response_url_enabled": True,
        "filter": {"exclude_bot_users": True},
    }
    return input_block(InputId.CONVERSATION, wording.CONVERSATION_LABEL, element, optional=True)


def _channel_field() -> Block:
    element: Block = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        "filter": {"include": ["public", "private"]},
    }
    return input_block(InputId.CHANNEL, wording.CHANNEL_LABEL, element, hint=wording.CHANNEL_HINT)


def no_database_view(state: FormState) -> ViewPayload:
    """Return what a form says where there is no database."""
    value = NameState(channel=state.channel).encode() or ""
    blocks = [
        section(wording.NO_DATABASE),
        buttons([button(labels.CREATE_DATABASE, ActionId.CREATE_DATABASE, value, style="primary")]),
    ]
    return _view(ViewId.NOTE, wording.NO_DATABASE_TITLE, blocks, state)


def form(view: ViewId, title: str, submit: str, blocks: Sequence[Block], state: FormState) -> ViewPayload:
    """Return a modal with a button that submits it."""
    return _view(view, title, blocks, state) | {
        "submit": plain_text(submit, VIEW_TITLE),
        "close": plain_text(wording.CANCEL, VIEW_TITLE),
    }


def _view(view: ViewId, title: str, blocks: Sequence[Block], state: FormState | None) -> ViewPayload:
    return {
        "type": "modal",
        "callback_id": str(view),
        "title": plain_text(title, VIEW_TITLE),
        "close": plain_text(wording.CLOSE, VIEW_TITLE),
        "blocks": list(blocks),
        "private_metadata": (state.encode(MAX_METADATA) or "") if state is not None else "",
    }
