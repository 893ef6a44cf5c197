"""A link for each id: only addresses that can do no harm, and ids as they are."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import EntityId
from bot.domain.links import EXAMPLE, MAX_TEMPLATE, link_of, validate_template
from tests.unit.domain.test_find_words import texts


@pytest.mark.parametrize(
    ("typed", "template"),
    [
        (EXAMPLE, EXAMPLE),
        (f"  {EXAMPLE} ", EXAMPLE),
        ("HTTPS://erp.example.com:8443/?q={id}&x=1", "https://erp.example.com:8443/?q={id}&x=1"),
        ("https://erp.example.com/part/%7Bid%7D", EXAMPLE),
        ("", ""),
    ],
)
def test_right_templates_are_taken(typed: str, template: str) -> None:
    assert validate_template(typed) == template


@pytest.mark.parametrize(
    "typed",
    [
        "http://erp.example.com/{id}",
        "javascript:alert({id})",
        "https://erp.example.com/part",
        "https://{id}.example.com/",
        "https://{id}/",
        "https://user:secret@erp.example.com/{id}",
        "https://erp.example.com:99999/{id}",
        "https:///{id}",
        "https://erp.example.com/{id}|click",
        "https://erp.example.com/<{id}>",
        "https://erp.example.com/a b/{id}",
        "https://erp.example.com/{id}{name}",
        "https://erp.exämple.com/{id}",
        f"https://erp.example.com/{'x' * MAX_TEMPLATE}/{{id}}",
    ],
)
def test_wrong_templates_are_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="link"):
        validate_template(typed)


@given(texts)
def test_id_stays_one_part_of_the_path(text: str) -> None:
    try:
        entity = EntityId(text)
    except InvalidInput:
        return
    path = urlsplit(link_of(EXAMPLE, entity)).path
    assert path.count("/") == 2
    assert unquote(path.rpartition("/")[2]) == entity


def test_dots_are_no_step_up() -> None:
    assert link_of(EXAMPLE, "..") == "https://erp.example.com/part/%2E%2E"
