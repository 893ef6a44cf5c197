"""What answers say of themselves when the back end could not do all that was asked."""

from __future__ import annotations

import pytest

from bot.blocks.messages.matches import PresentationOptions
from bot.blocks.messages.search_results import pictures_reply, search_reply
from bot.domain.matches import Caveat
from bot.services.search.lookup import LookupResult
from tests.unit.blocks.answers import STATE, check, match, pressable, ranked, result, shown

COPIES_ONLY = "I could only check for copies of this image"
SOME_MISSING = "Some matches may be missing"
HALFWAY, CROWDED = {Caveat.SAME_IMAGES_ONLY}, {Caveat.CROWDED_OUT}


def test_an_answer_by_fingerprints_alone_says_so_to_those_who_read_and_to_those_who_hear_it() -> None:
    reply = search_reply(result(match(), caveats=HALFWAY))
    check(reply)
    assert COPIES_ONLY in shown(reply)
    assert reply.text == "Best match in parts: valve_0042, 9.8/10, edited copy. Only checked for copies."


@pytest.mark.parametrize(
    ("caveats", "weaker", "said", "spoken"),
    [
        (HALFWAY, 0, "No copies found", "Only checked for copies."),
        # With a high least score, a copy may be among what was left out.
        (HALFWAY, 1, "No matches found", "Only checked for copies."),
        (CROWDED, 0, "No matches found", "Some matches may be missing."),
    ],
)
def test_where_not_all_could_be_looked_for_nothing_is_called_not_close(
    caveats: set[Caveat], weaker: int, said: str, spoken: str
) -> None:
    reply = search_reply(result(weaker=weaker, caveats=caveats))
    check(reply)
    assert reply.text == f"{said} in parts. {spoken}"
    assert f"{said} in `parts` (1,234 images)" in shown(reply)
    assert (COPIES_ONLY in shown(reply)) is (caveats == HALFWAY)
    assert "close" not in shown(reply)


def test_an_empty_database_is_named_as_such_all_the_same() -> None:
    assert "No images in `parts` yet" in shown(search_reply(result(images=0, caveats=HALFWAY)))


def test_an_answer_that_others_crowded_says_that_some_may_be_missing() -> None:
    reply = search_reply(result(match(), caveats=CROWDED))
    check(reply)
    assert SOME_MISSING in shown(reply)
    assert reply.text.endswith("edited copy. Some matches may be missing.")


def test_no_button_promises_what_may_be_missing() -> None:
    reply = search_reply(result(*ranked(3), caveats=CROWDED), PresentationOptions(state=STATE))
    assert "Show more" not in pressable(reply.blocks)
    assert "Show more" in pressable(
        search_reply(result(*ranked(9), caveats=HALFWAY), PresentationOptions(state=STATE)).blocks
    )


def test_what_holds_for_all_pictures_of_a_message_is_said_once() -> None:
    degraded = [LookupResult(f"{number}.png", result(match(), caveats=HALFWAY)) for number in range(4)]
    reply = pictures_reply([*degraded, LookupResult("broken.png", problem="Not a picture.")])
    check(reply)
    assert shown(reply).count(COPIES_ONLY) == 1
    assert reply.text.count("Only checked for copies.") == 1
    assert reply.text.endswith("5. Couldn't look this up. Only checked for copies.")


def test_what_holds_for_one_of_them_is_said_with_it() -> None:
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


def test_an_answer_without_caveats_says_nothing_of_the_kind() -> None:
    reply = search_reply(result(match()))
    assert COPIES_ONLY not in shown(reply)
    assert SOME_MISSING not in shown(reply)
    assert reply.text.endswith("edited copy.")
