"""The report of an import: within the limits, and names of files and columns have no effect."""

from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.messages.imports import import_reply
from tests.unit.blocks.answers import HOSTILE, check, shown, texts


@given(st.lists(st.tuples(texts, texts), max_size=20), st.lists(texts, max_size=3))
def test_any_names_and_reasons_fit_and_stay_text(refused: list[tuple[str, str]], remarks: list[str]) -> None:
    rows = [(line, file, f"Refused: {reason}") for line, (file, reason) in enumerate(refused, start=2)]
    counts = [(1, "new"), (len(rows), "refused")]
    told = [f"The column {remark} is not read." for remark in remarks]
    check(import_reply("parts.csv", "parts", counts, different=1, refused=rows, remarks=told))


def test_markup_in_names_is_shown_as_written() -> None:
    rows = [(3, "*a* _b_ `c`.png", "The column “*x*” is empty"), *[(4, HOSTILE, HOSTILE)] * 20]
    reply = import_reply("t.csv", "parts", [(21, "refused")], different=0, refused=rows, remarks=[HOSTILE])
    check(reply)
    assert "• Line 3, `*a* _b_ 'c'.png`: The column “`*x*`” is empty" in shown(reply)
    assert "… and 6 more." in shown(reply)
    longest = import_reply("t.csv", "parts", [], different=0, refused=[(2, "&" * 300, "<" * 300)] * 16)
    check(longest)
    assert "more." in shown(longest)
