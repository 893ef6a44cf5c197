"""Button state is read back unchanged or refused; messages without pictures; joined messages."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.button_state import (
    MAX_BUTTON_VALUE,
    MAX_METADATA,
    MAX_NUMBER,
    AddState,
    CommandState,
    EntityState,
    FormState,
    InteractionState,
    ListState,
    NameState,
    SearchState,
    decode_option,
    decode_searches,
    encode_option,
    encode_searches,
)
from bot.blocks.limits import MESSAGE_BLOCKS, OPTION_VALUE, length
from bot.blocks.messages.combination import joined
from bot.blocks.messages.fallback import slack_files, without_pictures
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.blocks.reply import notice, section
from bot.blocks.wording.errors import STALE_BUTTON
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DataId
from tests.unit.blocks import answers

KINDS: list[type[InteractionState]] = [
    SearchState,
    AddState,
    ListState,
    EntityState,
    NameState,
    CommandState,
    FormState,
]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
SEARCHES = st.builds(
    SearchState,
    *[TEXT] * 7,
    top=st.integers(0, 50),
    minimum=st.floats(0, 10),
    offset=st.integers(0, MAX_NUMBER),
)


def read(kind: type[InteractionState], text: object) -> InteractionState | None:
    """Read state as a button carries it. Return None if it was refused with a UserError."""
    try:
        return kind.decode(text)
    except InvalidInput as error:
        if str(error) != STALE_BUTTON:
            raise
        return None


@given(SEARCHES)
def test_state_round_trips(state: SearchState) -> None:
    text = state.encode(100_000)
    assert text is not None
    assert SearchState.decode(text) == state


@given(SEARCHES)
def test_values_fit_slacks_limit(state: SearchState) -> None:
    for most in (MAX_BUTTON_VALUE, MAX_METADATA):
        text = state.encode(most)
        assert text is None or length(text) <= most


def test_defaults_are_not_encoded() -> None:
    assert SearchState().encode() == "{}"
    assert SearchState(file="F1", top=5).encode() == '{"file":"F1"}'
    assert SearchState.decode("{}") == SearchState()


@pytest.mark.parametrize("kind", KINDS)
@given(text=TEXT | JSON.map(json.dumps) | st.binary(max_size=20) | st.none() | st.integers())
def test_any_text_is_read_or_refused_with_one_sentence(kind: type[InteractionState], text: object) -> None:
    state = read(kind, text)
    assert state is None or state.encode(1_000_000) is not None


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_fields_of_other_types_are_read_or_refused(kind: type[InteractionState], data: st.DataObject) -> None:
    names = [field.name for field in dataclasses.fields(kind)]
    given_values = data.draw(st.dictionaries(st.sampled_from(names), JSON))
    state = read(kind, json.dumps(given_values))
    for name, value in dataclasses.asdict(state or kind()).items():
        assert type(value) is type(getattr(kind(), name))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"unknown":1}',
        '{"encode":1}',
        '{"top":null}',
        '{"top":1e999}',
        '{"top":1000001}',
        '{"offset":-1000001}',
        '{"minimum":NaN}',
        '{"minimum":Infinity}',
        "[" * 100_000,
    ],
)
def test_unknown_state_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="out of date"):
        SearchState.decode(text)


def blocks_with(picture: PictureRef) -> tuple[dict[str, Any], ...]:
    found = answers.result(*answers.ranked(3))
    pictures = {DataId(str(rank)): picture for rank in range(1, 4)}
    return search_reply(found, PresentationOptions(pictures=pictures, state=answers.STATE)).blocks


def test_message_without_pictures_is_otherwise_the_same() -> None:
    whole = blocks_with(PictureRef(slack_file="F1"))
    less = without_pictures(whole)
    assert slack_files(whole) == {"F1"}
    assert slack_files(less) == frozenset()
    assert '"image"' not in json.dumps(less)
    assert less == search_reply(answers.result(*answers.ranked(3)), PresentationOptions(state=answers.STATE)).blocks
    assert without_pictures(less) == less
    # The message itself does not change.
    assert slack_files(whole) == {"F1"}
    assert slack_files(blocks_with(PictureRef(url="https://bot.example/media/x"))) == frozenset()


def test_pictures_are_removed_from_every_place() -> None:
    picture = {"type": "image", "alt_text": "x", "slack_file": {"id": "F1"}}
    words = {"type": "mrkdwn", "text": "words"}
    blocks: list[dict[str, Any]] = [
        picture,
        {"type": "context", "elements": [picture]},
        {"type": "context", "elements": [picture, words]},
        {"type": "section", "text": words, "accessory": picture},
        {"type": "section", "text": words, "accessory": {"type": "button"}},
    ]
    assert without_pictures(blocks) == (
        {"type": "context", "elements": [words]},
        {"type": "section", "text": words},
        {"type": "section", "text": words, "accessory": {"type": "button"}},
    )


def test_single_reply_is_unchanged_and_several_are_joined() -> None:
    only = notice("one")
    assert joined([only]) is only
    both = joined([only, notice("two")])
    assert both.text == "one\ntwo"
    assert [block["text"]["text"] for block in both.blocks] == ["one", "two"]
    answers.check(both)


@given(st.lists(TEXT.map(notice), min_size=2, max_size=60))
def test_joined_messages_stay_within_slacks_limits(replies: list[Any]) -> None:
    whole = joined(replies)
    assert len(whole.blocks) <= MESSAGE_BLOCKS
    assert section("x") | {"text": whole.blocks[0]["text"]} == whole.blocks[0]
    answers.check(whole)


MESSAGE_SEARCHES = st.builds(
    SearchState, file=TEXT, name=TEXT, channel=st.just("C1"), message=st.just("1.2"), top=st.just(5)
)


@given(st.lists(MESSAGE_SEARCHES | SEARCHES, min_size=1, max_size=8))
def test_searches_of_a_form_come_back(several: list[SearchState]) -> None:
    sent = [state for state in several if state.encode() is not None]
    if sent:
        assert decode_searches(encode_searches(sent)) == sent
        nameless = [dataclasses.replace(state, name="") for state in sent]
        assert decode_searches(encode_searches(sent, names=False)) == nameless


def test_form_holds_the_pictures_of_a_large_message() -> None:
    base = SearchState(channel="C0123456789", message="1796026077.000001", thread="1796026077.000001", database="parts")
    several = [dataclasses.replace(base, file=f"F{n:010}", name="name" * 20) for n in range(60)]
    state = FormState(response_url="https://hooks.slack.com/" + "x" * 100, state=encode_searches(several, names=False))
    assert state.encode(MAX_METADATA) is not None


def test_form_of_an_older_version_is_read() -> None:
    lines = [SearchState(file="F1", name="a.png", channel="C1").encode(), SearchState(file="F2", channel="C1").encode()]
    assert [state.file for state in decode_searches("\n".join(line or "" for line in lines))] == ["F1", "F2"]


@pytest.mark.parametrize(
    "search",
    [
        SearchState(file="F0123456789", channel="C0123456789", message="1796049836.000016", thread="1796049836.000016"),
        SearchState(file="F0", channel="C0", message="1.1", thread="2.2", database="d" * 64, part="10,20,300,400"),
        SearchState(url="https://x.example/a|b.png?c=|d", database="parts", top=50, minimum=7.25, offset=45),
    ],
)
def test_option_of_a_menu_is_read_back_unchanged(search: SearchState) -> None:
    value = encode_option("more", search)
    assert value is not None
    assert length(value) <= OPTION_VALUE
    assert decode_option(value) == ("more", search)
    longest = dataclasses.replace(search, name="x", file="F" * 11, channel="C" * 11, database="d" * 64)
    assert encode_option("another", dataclasses.replace(longest, url="")) is not None
    assert encode_option("another", dataclasses.replace(longest, url="https://x.example/" + "y" * 200)) is None


@pytest.mark.parametrize(
    "value", ["", "more", "more|F1", "more|F1||||db|x|5|0||", "more|F1||||db|5|nan|0||", "a|" * 20]
)
def test_forged_option_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="out of date"):
        decode_option(value)


def test_searches_keep_which_pictures_are_known() -> None:
    searches = [SearchState(file=f"F{n}", channel="C1", known=n == 1) for n in range(3)]
    assert decode_searches(encode_searches(searches)) == searches
