"""The words by which images are found: whatever a text has, a question with a word of it finds it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import InvalidInput
from bot.domain.find_words import MAX_TERMS, MAX_TOKENS, Term, fold, index_tokens, spans, terms_of, without_joints
from bot.domain.typing_errors import is_typing_error

LETTERS = "abz XYZ 0189 äßøŁ ИЖ 电池型号 กล้อง हिन्दी Ⅻ ﬁ ²⁴ -_./,:*`<>&'\"\n"
texts = st.one_of(st.text(max_size=80), st.text(st.sampled_from(LETTERS), max_size=80))


def finds(terms: tuple[Term, ...], tokens: frozenset[str]) -> bool:
    """Return whether a text with these words has all words of a question."""
    return all(
        term.token in tokens or (term.may_continue and any(token.startswith(term.token) for token in tokens))
        for term in terms
    )


def terms_or_none(text: str, *, in_parts: bool = False) -> tuple[Term, ...]:
    try:
        return terms_of(text, in_parts=in_parts)
    except InvalidInput:
        return ()


@given(texts)
def test_every_text_is_found_by_itself_and_by_each_of_its_words(text: str) -> None:
    tokens = index_tokens(text)
    for question in (text, *text.split()):
        for in_parts in (False, True):
            assert finds(terms_or_none(question, in_parts=in_parts), tokens)


@given(texts)
def test_case_accents_and_the_normal_form_make_no_difference(text: str) -> None:
    plain = "".join(one for one in unicodedata.normalize("NFD", text) if one not in "\u0301\u0308")
    for other in (unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text), plain):
        assert finds(terms_or_none(other.swapcase().swapcase()), index_tokens(text)) or "i" in text.casefold()


@given(texts)
def test_words_stand_where_they_say(text: str) -> None:
    for span in spans(text):
        assert 0 <= span.start < span.end <= len(text)
        assert any(unicodedata.category(character)[0] in "LMN" for character in text[span.start : span.end])


@given(st.text(st.sampled_from(LETTERS), max_size=2000))
def test_long_texts_are_bounded(text: str) -> None:
    assert len(index_tokens(text)) <= MAX_TOKENS
    assert all(0 < len(token) <= 64 for token in index_tokens(text))
    assert len(terms_or_none(text)) <= MAX_TERMS


@given(st.text("abcdefgh", min_size=4, max_size=16), st.data())
def test_one_typing_error_is_forgiven(word: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(word) - 2))
    for typed in (
        word[:place] + word[place + 1 :],
        f"{word[:place]}x{word[place:]}",
        f"{word[:place]}x{word[place + 1 :]}",
        word[:place] + word[place + 1] + word[place] + word[place + 2 :],
    ):
        assert is_typing_error(typed, word)


@pytest.mark.parametrize(
    ("typed", "word"), [("cat", "dog"), ("valve", "motor"), ("abcdefgh", "xyzdefgh"), ("valv", "valveshaft")]
)
def test_other_words_are_no_typing_errors(typed: str, word: str) -> None:
    assert not is_typing_error(typed, word)


@pytest.mark.parametrize("question", ["", "  ", "-_./", "!?", "🦊"])
def test_question_without_words_is_refused(question: str) -> None:
    with pytest.raises(InvalidInput, match="Which words"):
        terms_of(question)


def test_digits_of_part_numbers_are_not_guessed() -> None:
    assert not any(term.may_be_mistyped for term in terms_of("VLV-0042 DN25 0043"))


@given(st.text("aiI10-_./ ()\n", max_size=30))
def test_words_of_ascii_texts_are_found_as_those_of_other_texts(text: str) -> None:
    assert set(spans(text)) == {span for span in spans(f"{text} é") if span.start < len(text)}


@given(st.text("aiI10-_./ ", max_size=20), st.text("ai10-", min_size=1, max_size=4))
def test_text_without_the_letters_of_a_term_has_no_word_that_begins_with_it(text: str, typed: str) -> None:
    letters = without_joints(fold(text))
    for term in terms_of(f"a{typed}"):
        assert term.letters in letters or not any(span.token.startswith(term.token) for span in spans(text))
