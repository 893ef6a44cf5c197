"""Property tests: any text is parsed, or refused in one sentence, in bounded time."""

import contextlib
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import ChannelMode
from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DatabaseName, EntityId, Note
from bot.domain.pages import Order
from handlers.parsing.grammar import (
    MODIFIERS,
    VERBS,
    AddCommand,
    Command,
    CreateDatabase,
    DeleteDatabase,
    DeleteEntity,
    ImageReference,
    ListImages,
    Modifiers,
    SearchCommand,
    WatchCommand,
    mention_command,
    modifiers_of,
    parse,
)

SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0", "\u2003", "\u3000"])
QUOTES = ("“”", '""', "„“", "«»", "‹›", "””", "''", "‘’")
COLONS = st.sampled_from([":", "：", ": "])
DASHES = st.sampled_from(["--", "—", "–"])

database = st.from_regex(r"[a-z0-9_]{2,64}", fullmatch=True).map(DatabaseName)
entity = st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True).map(EntityId)
prefix = st.from_regex(r"[a-z0-9_]{0,64}", fullmatch=True)
limit = st.integers(1, 50)
score = st.integers(0, 1000).map(lambda hundredths: hundredths / 100)
url = st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9_./?=-]{0,20}", fullmatch=True)
# Backticks set commands apart, and invisible characters are dropped: neither is part of a note.
note = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="`<>\"'“”„‟«»‹›‘’‚＂\u200b\u2060\ufeff"),
    max_size=40,
).map(str.strip)
source = st.one_of(st.just(ImageReference(last=True)), url.map(ImageReference))


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@st.composite
def modifier(draw: st.DrawFn, name: str, value: str) -> str:
    """Write a modifier in one of its accepted forms."""
    needs_quotes = not value or any(one.isspace() for one in value) or name == "note"
    opening, closing = draw(st.sampled_from(QUOTES if needs_quotes else (*QUOTES, ("", ""))))
    quoted = f"{opening}{escaped(value)}{closing}"
    if draw(st.booleans()):
        return f"{draw(DASHES)}{name}{draw(st.sampled_from([' ', '=', ':']))}{quoted}"
    return f"{draw(st.sampled_from([name, name.upper()]))}{draw(COLONS)}{quoted}"


@st.composite
def written(draw: st.DrawFn, source: ImageReference) -> str:
    """Write an image reference."""
    if source.last:
        return draw(st.sampled_from(["last", "Last", "“last”"]))
    forms: list[Callable[[str], str]] = [
        lambda text: text,
        lambda text: f"<{text}>",
        lambda text: f"<{text}|{text[8:]}>",
        lambda text: f"“{text}”",
        lambda text: f'"<{text}>"',
    ]
    return draw(st.sampled_from(forms))(escaped(source.url))


def decimal(number: float) -> st.SearchStrategy[str]:
    return st.sampled_from([str(number), str(number).replace(".", ","), f"{number:.2f}"])


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, Command]:
    """Return a text and the command that it stands for."""
    verb = draw(st.sampled_from(["search", "add", "list", "delete", "db create", "db delete", "watch"]))
    chosen = draw(st.none() | database)
    parts = [] if chosen is None else [draw(modifier("in", draw(st.sampled_from([chosen, chosen.upper()]))))]
    words = [verb]
    expected: Command
    match verb:
        case "search":
            meant, number, least = draw(source), draw(limit), draw(score)
            parts += [draw(written(meant)), draw(modifier("top", str(number)))]
            parts.append(draw(modifier("min", draw(decimal(least)))))
            expected = SearchCommand(meant, chosen, number, least)
        case "add":
            meant, named, said = draw(source), draw(entity), draw(note)
            parts += [draw(written(meant)), draw(modifier("id", named)), draw(modifier("note", said))]
            expected = AddCommand(meant, chosen, named, Note(said))
        case "list":
            beginning, order = draw(prefix), draw(st.sampled_from(Order))
            parts += [draw(modifier("prefix", beginning)), draw(modifier("order", order))]
            expected = ListImages(chosen, beginning, order)
        case "delete":
            named = draw(entity)
            words.append(named)
            expected = DeleteEntity(named, chosen)
        case "watch":
            mode, least = (
                draw(st.sampled_from([ChannelMode.LOOKUP, ChannelMode.COLLECT, ChannelMode.GUARD])),
                draw(score),
            )
            # A collect channel adds every image, so it takes no minimum score.
            parts += [mode] if mode is ChannelMode.COLLECT else [mode, draw(modifier("min", draw(decimal(least))))]
            expected = WatchCommand(mode, chosen, None if mode is ChannelMode.COLLECT else least)
        case _:
            named_database = draw(database)
            words.append(named_database)
            parts = []
            expected = (CreateDatabase if verb == "db create" else DeleteDatabase)(named_database)
    # The verb is the first word. Modifiers and URLs may stand anywhere.
    text = draw(SPACES).join([*words, *draw(st.permutations(parts))])
    return text, expected


@given(commands())
def test_every_well_formed_command_is_parsed(pair: tuple[str, Command]) -> None:
    text, expected = pair
    assert parse(text) == expected


@given(st.permutations(["https://example.com/valve.jpg", "in:parts_2", "top:7", "min:2.5"]), SPACES)
def test_the_order_of_words_does_not_matter(words: list[str], space: str) -> None:
    expected = SearchCommand(ImageReference("https://example.com/valve.jpg"), DatabaseName("parts_2"), 7, 2.5)
    assert parse(space.join(words)) == expected


@given(database, limit, score, entity, note)
def test_modifiers_are_found_in_any_prose(name: str, top: int, least: float, identifier: str, said: str) -> None:
    text = f"<@U1> look, at:that in:{name} (today) top:{top} min:{least} — id:{identifier}, note:“{escaped(said)}” ok?"
    found = modifiers_of(text)
    assert found == Modifiers(DatabaseName(name), top, least, EntityId(identifier), Note(said))


SIGNS = (*"<>\"“”„«'`:：=|@\n\x00\ud800", "://", "https://", "<https://x.example|", "&amp;", "--in", "—top")
fragment = st.sampled_from([*VERBS, *(f"{name}:" for name in MODIFIERS), *SIGNS, "db create", "parts", "5"])
strange = st.text() | st.lists(fragment | st.text(max_size=3)).map(" ".join) | st.lists(fragment).map("".join)


@given(strange)
def test_any_command_is_parsed_or_refused_in_a_sentence(text: str) -> None:
    sentence = ""
    try:
        parse(text)
    except InvalidInput as refusal:
        sentence = str(refusal)
    assert "\n" not in sentence
    assert len(sentence) < 300


@given(strange)
def test_any_message_is_parsed_or_refused_in_a_sentence(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(modifiers_of(text), Modifiers)


@given(st.text(st.characters(exclude_characters=":：﹕=＝-—–―‒−")))
def test_prose_without_modifiers_is_never_refused(text: str) -> None:
    assert modifiers_of(text) == Modifiers()


@given(strange, st.sampled_from(["", "U1"]))
def test_command_after_a_mention_is_part_of_the_text(text: str, bot: str) -> None:
    assert mention_command(text, bot) in text
    assert mention_command(f"<@U1> {text}", bot) in text


@given(st.sampled_from(MODIFIERS), st.text())
def test_modifier_with_any_value_is_parsed_or_refused(name: str, value: str) -> None:
    for verb in VERBS:
        with contextlib.suppress(InvalidInput):
            parse(f"{verb} last {name}:{value}")


@pytest.mark.parametrize(
    "part", ["'x ", "“x ", "in:'x ", "note:„x ", "<", "<x|", '"', "--in ", "x:", "`", "&amp;", "in: "]
)
def test_forty_thousand_characters_are_parsed_quickly(part: str) -> None:
    text = part * (40_000 // len(part))
    started = time.process_time()
    for read in (parse, modifiers_of):
        with contextlib.suppress(InvalidInput):
            read(text)
    assert time.process_time() - started < 1
