"""Ids: any printable text, kept as written, and compared by a key."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given

from bot.api.entities import is_mapped, is_portable, portable
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import MAX_ENTITY, MAX_ENTITY_KEY, EntityId, entity_key
from tests.fixtures.entities import entities


@given(entities)
def test_id_is_kept_as_written(entity: EntityId) -> None:
    assert 1 <= len(entity) <= MAX_ENTITY
    assert EntityId(entity) == entity == unicodedata.normalize("NFC", entity).strip()
    assert EntityId(f" \u200b{unicodedata.normalize('NFD', entity)}\u3000") == entity
    assert EntityId(json.loads(json.dumps(entity))) == entity


@given(entities)
def test_key_ignores_case_and_normal_form(entity: EntityId) -> None:
    assert entity_key(entity.key) == entity.key
    assert len(entity.key) <= MAX_ENTITY_KEY
    for form in ("NFC", "NFD"):
        for written in (entity, entity.casefold()):
            assert entity.is_same(unicodedata.normalize(form, written))


@given(entities, entities)
def test_each_id_has_its_own_name_in_the_api(entity: EntityId, other: EntityId) -> None:
    assert is_portable(portable(entity))
    assert portable(EntityId(portable(entity))) == portable(entity)
    assert is_portable(entity) or is_mapped(portable(entity))
    if not entity.is_same(other):
        assert portable(entity) != portable(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("VLV-0042/A", "vlv-0042/a"),
        ("Größe", "GRÖSSE"),
        ("Größe", "Gro\u0308ße"),
        ("ＶＬＶ－１", "vlv-1"),
        ("Valve\u00a042", "valve 42"),
        ("ΣΑΣ", "σας"),
        ("❤\ufe0f", "❤"),
        ("ﾊﾞﾙﾌﾞ", "バルブ"),
    ],
)
def test_same_id_in_another_spelling(one: str, other: str) -> None:
    assert EntityId(one).is_same(EntityId(other))


@pytest.mark.parametrize(
    ("one", "other"), [("M²", "M2"), ("C#", "C"), ("bolt-1", "bolt_1"), ("Łódź", "Lodz"), ("é", "e"), ("①", "1")]
)
def test_different_ids_stay_different(one: str, other: str) -> None:
    assert not EntityId(one).is_same(EntityId(other))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "1 to 64 characters"),
        (" \u3000\u200b", "1 to 64 characters"),
        ("x" * 65, "up to 64 characters. This one has 65"),
        ("a\nb", "printable"),
        ("a\x00b", "printable"),
        ("a\u2028b", "printable"),
        ("\u202etxt.exe", "printable"),
        ("a\ud800", "printable"),
        ("\u200d\ufe0f", "printable"),
        ("a\ufffe", "printable"),
    ],
)
def test_unprintable_text_is_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        EntityId(text)


def test_length_is_counted_after_composition() -> None:
    assert EntityId("e\u0301" * 64) == "é" * 64
    assert EntityId("\U0001f600" * 64)
