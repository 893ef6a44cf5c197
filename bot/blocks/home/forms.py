"""The form that adds pictures to a database from App Home."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.button_state import NOTHING_ENTERED, FormInput, FormState, decode_searches
from bot.blocks.ids import ViewId
from bot.blocks.modal_fields import database_field, entity_and_note_fields, files_field, url_field
from bot.blocks.modals import ViewPayload, form, no_database_view
from bot.blocks.mrkdwn import code
from bot.blocks.reply import section
from bot.blocks.wording import forms as wording
from bot.domain.catalogue import DatabaseInfo


def add_pictures_form(
    databases: Sequence[DatabaseInfo], state: FormState, entered: FormInput = NOTHING_ENTERED
) -> ViewPayload:
    """Return the form. Files can't be put back into their field, so those of an earlier attempt are in its state."""
    if not databases:
        return no_database_view(state)
    kept = [search for search in decode_searches(entered.searches) if search.file] if entered.searches else []
    blocks = [
        *([section(wording.kept_files([code(search.name, "?") for search in kept]))] if kept else []),
        files_field(),
        url_field(entered.url),
        database_field(databases, entered.database or state.database),
        *entity_and_note_fields(entered.entity, entered.note, entity_hint=wording.ADD_ENTITY_HINT),
    ]
    return form(ViewId.ADD_PICTURES, wording.ADD_PICTURES_TITLE, wording.ADD_SUBMIT, blocks, state)
