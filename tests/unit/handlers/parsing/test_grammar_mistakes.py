"""Mistakes in commands get one sentence with the right form."""

import re

import pytest

from bot.domain.errors import InvalidInput, UnknownDatabase, UnknownEntity
from bot.domain.identifiers import EntityId
from handlers.parsing.grammar import DeleteEntity, corrected, parse

URL = "https://example.com/valve.jpg"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{URL} top:0", "1 to 50"),
        (f"{URL} top:51", "1 to 50"),
        (f"{URL} top:²", "1 to 50"),
        (f"{URL} top:٣", "1 to 50"),
        (f"{URL} min:11", "0 to 10"),
        (f"{URL} min:10.1", "0 to 10"),
        (f"{URL} min:nan", "0 to 10"),
        (f"{URL} min:1e0", "0 to 10"),
        (f"{URL} min:-1", "0 to 10"),
        (f"{URL} min:", "0 to 10"),
        (f"{URL} in: top:3", "database name"),
        (f"{URL} in:a", "database name"),
        ("add last id:", "An id must have"),
        (f"add last note:{'n' * 513}", "up to 512"),
        ("list order:newest", "`desc` (newest first), `asc` (oldest first) or `id`"),
        (f"list prefix:{'x' * 65}", "up to 64 printable characters"),
    ],
)
def test_invalid_value_is_refused_with_the_right_form(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{URL} in:Product-Photos", "Did you mean `product_photos`?"),
        (f"{URL} in:“product photos”", "Did you mean `product_photos`?"),
        ("db create Pièces détachées", "Did you mean `pieces_detachees`?"),
        (f"{URL} tpo:3", "Did you mean `top:`?"),
        (f"{URL} limit:3", "Did you mean `top:`?"),
        ("add last sku:3", "Did you mean `id:`?"),
        ("list parts", "Did you mean `/vsearch list in:parts`?"),
        ("delete db parts", "Did you mean `/vsearch db delete parts`?"),
        ("db crate parts", "Did you mean `/vsearch db create <name>`?"),
        ("db remov parts", "Did you mean `/vsearch db delete <name>`?"),
        ("db lst", "Did you mean `/vsearch db`?"),
        ("watch gaurd in:parts", "Did you mean `/vsearch watch guard`?"),
        ("watch off", "Did you mean `/vsearch unwatch`?"),
        ("search lats", "Did you mean `/vsearch search last`?"),
        ("add latest in:parts", "Did you mean `/vsearch add last`?"),
        ("search example.com/valve.jpg", "Put https:// before “example.com/valve.jpg”"),
    ],
)
def test_misspelt_argument_gets_a_suggestion(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{URL} note:x", "`search` doesn't take `note:`. It takes `in:`, `top:` and `min:`."),
        ("add last top:3", "`add` doesn't take `top:`. It takes `in:`, `id:` and `note:`."),
        ("list min:3", "`list` doesn't take `min:`. It takes `in:`, `prefix:` and `order:`."),
        ("watch top:3", "`watch` doesn't take `top:`. It takes `in:`, `min:`, `window:`,"),
        ("db in:parts", "`db` doesn't take `in:`. Type `/vsearch db` alone."),
        ("db create parts in:parts", "Type `/vsearch db create <name>` alone"),
        ("status in:parts", "Type `/vsearch status` alone"),
        ("unwatch in:parts", "Type `/vsearch unwatch` alone"),
        (f"{URL} colour:red", "I don't know `colour:`. `search` takes `in:`, `top:` and `min:`."),
        ("status colour:red", "`status` takes no modifiers"),
        ("list in:aa in:bb", "`in:` is there twice"),
    ],
)
def test_unsupported_modifier_is_refused_with_the_supported_ones(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("search", "Which image should I look up? Type `/vsearch search <image URL or last>`"),
        ("in:parts", "Which image should I look up?"),
        ("add in:parts", "Which image should I add? Type `/vsearch add <image URL or last> in:<database>`"),
        (f"{URL} {URL}", "one image at a time"),
        (f"search last {URL}", "one image at a time"),
        ("search last last", "one image at a time"),
        (f"search {URL} please", "“please”"),
        ('add last "spare valve"', 'Put a note in quotes: `note:"spare valve"`'),
        ("ftp://example.com/valve.jpg", "start with `https://`"),
        (f'{URL} in:"parts', "quote"),
        (f'search "{URL}', "quote"),
        ("search “", "quote"),
        ("rename a", "Which id should I change"),
        ("rename a to b to c", "in quotes"),
        ("note a spare valve", "Put the note in quotes"),
        ("rename a to b colour:red", "I don't know `colour:`"),
        ("delete", "Which id should I delete? Type `/vsearch delete <id> in:<database>`"),
        ("delete a id:b", "one id at a time"),
        (f"delete a {URL}", "`delete` doesn't take “"),
        ("db create", "`/vsearch db create <name>`"),
        ("db delete", "Which database should I delete? Type `/vsearch db delete <name>`"),
        (f"db {URL}", "`db` doesn't take “"),
        (f"db create parts {URL}", "`db create` doesn't take “"),
        ("db zzzzz", "I don't know “db zzzzz”"),
        ("import here top:3", "`import` doesn't take `top:`. It takes `in:` and `since:`."),
        ("import there", "`/vsearch import here`, optionally with `since:` and `in:`"),
        ("import here since:2999-01-01", "`since:` must be a day that is over"),
        ("watch zzzzz", "Choose `lookup`, `collect` or `guard`"),
        ("watch guard collect", "`watch` doesn't take “collect”"),
        ("unwatch now", "`unwatch` doesn't take “now”"),
        ("status please", "`status` doesn't take “please”"),
        (f"list {URL}", "`list` doesn't take “"),
    ],
)
def test_malformed_command_is_refused_with_the_right_form(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("serach x", "search"),
        ("hlep", "help"),
        ("dbs", "db"),
        ("fnd", "find"),
        ("serch", "search"),
        ("remvoe x", "delete"),
        ("lits", "list"),
        ("unwacth", "unwatch"),
        ("gaurd in:parts", "watch guard"),
        ("collect in:parts", "watch collect"),
        ("create parts", "db create"),
    ],
)
def test_misspelt_verb_gets_a_suggestion(text: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(text)
    said = str(refusal.value)
    assert said.endswith(f"Did you mean `/vsearch {hint}`?")


def test_url_without_scheme_gets_a_suggestion() -> None:
    with pytest.raises(InvalidInput, match=re.escape("Put https:// before “example.com/valve.jpg”")):
        parse("example.com/valve.jpg")


def test_unknown_verb_gets_one_sentence_and_a_short_quote() -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse("zqx" * 1000)
    said = str(refusal.value)
    assert "Did you mean" not in said
    assert said.endswith("”. `/vsearch help` shows all commands.")
    assert len(said) < 110


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("serach last in:parts", "search last in:parts"),
        ("/vsearch serach last", "search last"),
        ("in:parts Serach last", "in:parts search last"),
        ("hlep", "help"),
        ("gaurd in:parts", "watch guard in:parts"),
        ("create parts", "db create parts"),
        ("remvoe valve_0042", "delete valve_0042"),
        ("search lats top:3", "search last top:3"),
        ("add latest in:parts", "add last in:parts"),
        (f"{URL} in:Product-Photos", f"{URL} in:product_photos"),
        (f"{URL} in:“product photos”", f"{URL} in:“product_photos”"),
        ("db create Pièces détachées", "db create pieces_detachees"),
        ("list parts", "list in:parts"),
        ("delete db parts", "db delete parts"),
        ("db crate parts", "db create parts"),
        ("watch gaurd in:parts", "watch guard in:parts"),
        ("watch off", "unwatch"),
        ("backfill", "import here"),
        ("search example.com/valve.jpg", "search https://example.com/valve.jpg"),
        ("example.com/valve.jpg", "https://example.com/valve.jpg"),
    ],
)
def test_near_miss_is_corrected(text: str, meant: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(text)
    assert corrected(text, refusal.value) == meant
    parse(meant)


@pytest.mark.parametrize("text", ["zzzzz", "serach", "serach x", "db crate", f"{URL} top:99", "watch zzzzz"])
def test_command_that_would_fail_again_is_not_offered(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(text)
    assert corrected(text, refusal.value) == ""


def test_names_that_do_not_exist_are_corrected() -> None:
    text = "search https://example.com/prats.png in:Prats"
    assert corrected(text, UnknownDatabase("prats", "parts")) == "search https://example.com/prats.png in:parts"
    assert corrected("delete valv_1", UnknownEntity("valv_1", "parts", "valve_1")) == "delete valve_1"
    assert corrected("delete valv_1", UnknownEntity("valv_1", "parts")) == ""
    for typed in ("delete Valv 1", "delete “valv 1”", 'delete id:"valv 1"'):
        meant = corrected(typed, UnknownEntity("Valv 1", "parts", "Valve <1>"))
        assert parse(meant) == DeleteEntity(EntityId("Valve <1>"))
