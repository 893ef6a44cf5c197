"""Any printable id survives commands, forms and buttons, and nothing in it means anything to Slack."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.button_state import MAX_BUTTON_VALUE, MAX_METADATA, EntityState, FormState, MergeState
from bot.blocks.ids import InputId
from bot.blocks.limits import escape
from bot.blocks.listing_forms import EditedImage, edit_form
from bot.blocks.modals import add_form
from bot.blocks.mrkdwn import entity_code
from bot.domain.catalogue import DatabaseInfo
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from handlers.modals.fields import add_fields, edit_fields
from handlers.parsing.grammar import parse, parse_caption, quoted
from handlers.parsing.grammar.commands import AddCommand, DeleteEntity, ListImages, RenameEntity, SetNote
from handlers.parsing.payloads.interactions import FormValues
from tests.fixtures.entities import entities
from tests.fixtures.records import image_record
from tests.unit.blocks.answers import check_view

LONGEST = DatabaseName("x" * 64)
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def typed(entity: EntityId) -> str:
    """Return the id in quotes, as Slack sends what people type."""
    return escape(quoted(entity))


@given(entities, entities)
def test_id_round_trips_through_commands(entity: EntityId, other: EntityId) -> None:
    one, two = typed(entity), typed(other)
    added = parse(f"add last in:parts id:{one}")
    assert isinstance(added, AddCommand)
    assert added.entity == entity
    assert parse(f"delete id:{one}") == DeleteEntity(entity)
    assert parse(f"rename {one} to {two} in:parts") == RenameEntity(entity, other, DatabaseName("parts"))
    assert parse(f'note {one} "in: the yard"') == SetNote(entity, Note("in: the yard"))
    listed = parse(f"list prefix:{one}")
    assert isinstance(listed, ListImages)
    assert listed.prefix == entity.rstrip("*…")
    assert parse_caption(f"brass id:{one} here", ()).modifiers.entity == entity


@given(entities, st.booleans())
def test_id_round_trips_through_forms(entity: EntityId, automatic: bool) -> None:
    info = DatabaseInfo(DatabaseKey(WorkspaceId("T1"), LONGEST), 1, NOW)
    record = image_record(
        database=info.key, data_id=DataId("d" * 64), entity=entity, added_at=NOW, named_automatically=automatic
    )
    state = FormState(response_url="u" * 200, channel="C" * 30, channel_kind="private", thread="1.2")
    views = (edit_form(EditedImage(record, 3), state), add_form([info], state, entity=entity))
    for view in views:
        check_view(view)
        assert len(view["private_metadata"]) <= MAX_METADATA
        [field] = [block for block in view["blocks"] if block.get("block_id") == InputId.ENTITY]
        values = FormValues(texts={InputId.ENTITY: field["element"]["initial_value"]})
        assert edit_fields(values).entity == entity
        assert add_fields(values, LONGEST).entity == entity
    assert FormState.decode(views[0]["private_metadata"]).image == "d" * 64


@given(entities, entities)
def test_id_round_trips_through_buttons(entity: EntityId, other: EntityId) -> None:
    for state in (EntityState(LONGEST, entity, "9" * 40), MergeState(LONGEST, entity, other)):
        encoded = state.encode()
        assert encoded is not None
        assert len(encoded.encode("utf-16-le")) // 2 <= MAX_BUTTON_VALUE
        assert type(state).decode(json.loads(json.dumps(encoded))) == state


@given(entities)
def test_id_is_shown_whole_and_without_markup(entity: EntityId) -> None:
    shown = entity_code(entity)
    inner = shown.removeprefix("`").removesuffix("`")
    assert not set(inner) & set("<>`")
    assert inner.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == entity.replace("`", "'")
