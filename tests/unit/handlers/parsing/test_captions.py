"""Captions: only what is a valid modifier is one. All other words stay in the note, and nothing is refused."""

import hashlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import EntityRefused
from bot.domain.identifiers import MAX_NOTE, DatabaseName, EntityId, Note
from bot.services.images.file_names import suggest_entity
from handlers.parsing.grammar import MODIFIERS, Modifiers, modifiers_of, parse_caption

PARTS, SIDE = DatabaseName("parts"), DatabaseName("side_views")
KNOWN = (PARTS, SIDE)


@pytest.mark.parametrize(
    "text",
    [
        f"id:{'4711-' * 13}",
        "id:\u200d",
        "id: 4711",
        "in:side view",
        "found in:nope",
        "in: parts",
        "top:shelf",
        "top:99",
        "min:lots of dust",
        'note:"still good',
        "note:“still good",
        "note:rusty valve, shelf 3",
        'it says note:"x',
        "prefix:pump order:desc",
        "id:",
        "in:*",
        "5 o'clock, 'tis a 2\" pipe",
        ":wrench: fixed",
        "two\nlines",
    ],
)
def test_text_that_is_no_valid_modifier_is_kept_as_it_is(text: str) -> None:
    caption = parse_caption(text, KNOWN)
    assert caption.modifiers == Modifiers()
    assert (caption.text, caption.note) == (text, text)


@pytest.mark.parametrize(
    ("text", "modifiers", "note"),
    [
        ("found in:parts today", Modifiers(PARTS), "found today"),
        ("in:nope in:parts in:side_views", Modifiers(PARTS), "in:nope in:side_views"),
        ("id:\u200d id:valve_2, brass", Modifiers(entity=EntityId("valve_2")), "id:\u200d brass"),
        ("id:#1 id:valve_2, brass", Modifiers(entity=EntityId("#1")), "id:valve_2, brass"),
        ("id:VLV-0042/A, brass", Modifiers(entity=EntityId("VLV-0042/A")), "brass"),
        ("id:“Valve 42” brass", Modifiers(entity=EntityId("Valve 42")), "brass"),
        ("top:shelf top:3 min:7,5 min:2", Modifiers(limit=3, minimum=7.5), "top:shelf min:2"),
        ("brass note:“DN 50” id:v", Modifiers(entity=EntityId("v"), note=Note("DN 50")), "DN 50"),
        ('note:"open in:parts', Modifiers(PARTS), 'note:"open'),
    ],
)
def test_first_valid_modifier_counts_and_leaves_the_note(text: str, modifiers: Modifiers, note: str) -> None:
    caption = parse_caption(text, KNOWN)
    assert (caption.modifiers, caption.note) == (modifiers, note)


def test_database_that_may_not_be_named_is_prose() -> None:
    caption = parse_caption("in:parts", ())
    assert (caption.modifiers, caption.text) == (Modifiers(), "in:parts")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("by <@U0BOSS> in <#C0YARD|yard> &amp; co. &lt;5 mm&gt;", "by  in #yard & co. <5 mm>"),
        ("<!date^1^{date}|Nov 5> <!subteam^S1|@fitters> <@U1|ada>", "Nov 5 @fitters @ada"),
        ("<https://example.com/a|the sheet> <https://example.com/b>", "the sheet https://example.com/b"),
        ("5\u00a0mm\u2003wide\tand\u3000flat", "5 mm wide and flat"),
        ("\U0001f469\u200d\U0001f527 fitter \u2764\ufe0f", "\U0001f469\u200d\U0001f527 fitter \u2764\ufe0f"),
        ("\u202eevil\u202c \x00\x07ok", "evil ok"),
    ],
)
def test_note_reads_as_in_slack(text: str, note: str) -> None:
    assert parse_caption(text, KNOWN).note == note


def test_long_caption_is_cut_visibly() -> None:
    note = parse_caption("word " * 200, KNOWN).note
    assert len(note) <= MAX_NOTE
    assert note.endswith("…")


VALID = st.sampled_from(["in:parts", "top:5", "min:7.5", "id:valve_1", "—in=parts"])
SIGNS = [
    *"<>\"“”„«'`：=|@\n\t\u00a0\u200d",
    "&amp;",
    "&lt;",
    "—top",
    "--in",
    "😀",
    "שלום",
    "<@U1>",
    "<!here>",
    "<#C1|x>",
]
FRAGMENTS = st.sampled_from([*(f"{name}:" for name in MODIFIERS), *SIGNS, "://", "parts", "5", "shelf", "o'clock"])
STRANGE = st.text(max_size=60) | st.lists(FRAGMENTS | st.text(max_size=4), max_size=12).map("".join)


@given(STRANGE | st.lists(FRAGMENTS | VALID | st.text(max_size=6)).map(" ".join))
def test_no_caption_is_refused(text: str) -> None:
    caption = parse_caption(text, KNOWN)
    assert len(caption.note) <= MAX_NOTE
    assert isinstance(caption.note, Note)


PROSE = st.from_regex(r"[\w.,;!?'’#+*/()°ßü😀-]{1,12}", fullmatch=True).filter(lambda word: not word.startswith("--"))
MALFORMED = st.sampled_from(
    [
        "in:nope",
        "in:side",
        "in:",
        "top:shelf",
        "top:0",
        "min:x",
        f"id:{'4711-' * 13}",
        "id:",
        "note:",
        "note:rusty",
        "order:asc",
    ]
)


@given(st.lists(PROSE | MALFORMED | VALID, max_size=20))
def test_no_word_is_lost(words: list[str]) -> None:
    seen: set[str] = set()
    kept = []
    for word in words:
        name = "in" if word.startswith("—in") else word.partition(":")[0]
        is_modifier = word in {"in:parts", "top:5", "min:7.5", "id:valve_1", "—in=parts"} and name not in seen
        seen |= {name} if is_modifier else set()
        kept += [] if is_modifier else [word]
    # A quote that opens at the start of a word may hold several words, and then none of them is a modifier.
    if not any(word[0] in "'’" for word in words):
        assert parse_caption(" ".join(words), KNOWN).text.split() == kept


@pytest.mark.parametrize("part", ["'x ", "“x ", "in:'x ", "note:„x ", "<", '"', "in:parts ", "<#C1|", "x\u200d"])
def test_forty_thousand_characters_are_parsed_quickly(part: str) -> None:
    started = time.process_time()
    parse_caption(part * (40_000 // len(part)), KNOWN)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("brass id:" + "x" * 65, f"{'x' * 55}_{hashlib.sha256(b'x' * 65).hexdigest()[:8]}"),
        ("id:“Valve\n 42”", "Valve 42"),
        ("id:VLV\u202e42", "VLV42"),
        ('id:"Valve 42, brass', "Valve 42, brass"),
        ('id:"Valve 42\nfrom the yard', "Valve 42"),
        ("id:\u200d", ""),
        ("id:", ""),
        ("id: 4711", ""),
        ('id:"open in:parts', ""),
        ("id:" + "x" * 65 + " id:valve_2", ""),
        ("the id:4711", ""),
    ],
)
def test_id_that_cannot_be_used_has_a_suggestion(text: str, suggestion: str) -> None:
    refused = parse_caption(text, KNOWN).refused
    assert (refused.suggestion if refused else "") == suggestion
    if suggestion:
        assert EntityId(suggestion) == suggestion
        with pytest.raises(EntityRefused) as asked:
            modifiers_of(text)
        assert asked.value.suggestion == suggestion


@given(st.text(max_size=200))
def test_suggestion_is_an_id_and_stays_as_it_is(text: str) -> None:
    suggestion = suggest_entity(text)
    if suggestion:
        assert EntityId(suggestion) == suggestion == suggest_entity(suggestion)


def test_long_ids_that_begin_alike_get_different_suggestions() -> None:
    assert suggest_entity("x" * 70 + "1") != suggest_entity("x" * 70 + "2")
