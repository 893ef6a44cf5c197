"""Caveats in answers when the back end could not do everything."""

from __future__ import annotations

import pytest

from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.blocks.messages.results.several_pictures import pictures_reply
from bot.domain.matches import Caveat
from bot.services.search.lookup import LookupResult
from tests.unit.blocks.answers import STATE, check, match, pressable, ranked, result, shown

COPIES_ONLY = "I could only check for copies of this image"
SOME_MISSING = "Some matches may be missing"
HALFWAY, CROWDED = {Caveat.SAME_IMAGES_ONLY}, {Caveat.CROWDED_OUT}


def test_fingerprint_only_answer_says_so_in_blocks_and_text() -> None:
    reply = search_reply(result(match(), caveats=HALFWAY))
    check(reply)
    assert COPIES_ONLY in shown(reply)
    assert reply.text == "Best match in parts: valve_0042, 9.8/10, edited copy. Only checked for copies."


@pytest.mark.parametrize(
    ("caveats", "weaker", "said", "spoken"),
    [
        (HALFWAY, 0, "No copies found", "Only checked for copies."),
        # With a high minimum score, a hidden match may be a copy.
        (HALFWAY, 1, "No matches found", "Only checked for copies."),
        (CROWDED, 0, "No matches found", "Some matches may be missing."),
    ],
)
def test_incomplete_search_never_says_that_nothing_is_close(
    caveats: set[Caveat], weaker: int, said: str, spoken: str
) -> None:
    reply = search_reply(result(weaker=weaker, caveats=caveats))
    check(reply)
    assert reply.text == f"{said} in parts. {spoken}"
    assert f"{said} in `parts` (1,234 images)" in shown(reply)
    assert (COPIES_ONLY in shown(reply)) is (caveats == HALFWAY)
    assert "close" not in shown(reply)


def test_picture_without_detail_is_said_to_have_none() -> None:
    reply = search_reply(result(weaker=4, caveats={Caveat.NOTHING_TO_COMPARE}))
    check(reply)
    assert reply.text == "This picture has no detail to compare. Nothing found in parts."
    assert "This picture has no detail to compare. Nothing found in `parts` (1,234 images)." in shown(reply)
    assert shown(reply).count("compare") == 1
    hidden = search_reply(result(hidden=1, caveats={Caveat.NOTHING_TO_COMPARE}))
    assert "Nothing found" not in shown(hidden)
    assert "nothing in it to compare" in shown(hidden)


def test_empty_database_is_named_despite_a_caveat() -> None:
    assert "No images in `parts` yet" in shown(search_reply(result(images=0, caveats=HALFWAY)))


def test_crowded_answer_says_that_matches_may_be_missing() -> None:
    reply = search_reply(result(match(), caveats=CROWDED))
    check(reply)
    assert SOME_MISSING in shown(reply)
    assert reply.text.endswith("edited copy. Some matches may be missing.")


def test_no_button_promises_missing_matches() -> None:
    reply = search_reply(result(*ranked(3), caveats=CROWDED), PresentationOptions(state=STATE))
    assert "Show more" not in pressable(reply.blocks)
    assert "Show more" in pressable(
        search_reply(result(*ranked(9), caveats=HALFWAY), PresentationOptions(state=STATE)).blocks
    )


def test_caveat_of_all_pictures_is_shown_once() -> None:
    degraded = [LookupResult(f"{number}.png", result(match(), caveats=HALFWAY)) for number in range(4)]
    reply = pictures_reply([*degraded, LookupResult("broken.png", problem="Not a picture.")])
    check(reply)
    assert shown(reply).count(COPIES_ONLY) == 1
    assert reply.text.count("Only checked for copies.") == 1
    assert reply.text.endswith("5. Couldn't look this up. Only checked for copies.")


def test_caveat_of_one_picture_is_shown_with_it() -> None:
    some = [
        LookupResult("1.png", result(match())),
        LookupResult("2.png", result(caveats=HALFWAY)),
        LookupResult("3.png", result(match(), caveats=HALFWAY | CROWDED)),
    ]
    reply = pictures_reply(some)
    check(reply)
    assert shown(reply).count(COPIES_ONLY) == 2
    assert shown(reply).count(SOME_MISSING) == 1
    best = "Best match in parts: valve_0042, 9.8/10, edited copy."
    assert reply.text.splitlines() == [
        f"1. {best}",
        "2. No copies found in parts. Only checked for copies.",
        f"3. {best} Only checked for copies. Some matches may be missing.",
    ]


def test_answer_without_caveats_mentions_none() -> None:
    reply = search_reply(result(match()))
    assert COPIES_ONLY not in shown(reply)
    assert SOME_MISSING not in shown(reply)
    assert reply.text.endswith("edited copy.")
