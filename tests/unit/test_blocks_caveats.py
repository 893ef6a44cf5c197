"""What answers say of themselves when the back end could not do all that was asked."""

from __future__ import annotations

import dataclasses

from bot.blocks.results import pictures_reply, search_reply
from bot.models import Caveat
from bot.services.lookup import Looked
from bot.services.search import SearchResult
from tests.unit.answers import check, match, result, shown

COPIES_ONLY = "I looked for copies of this very picture only"


def with_caveats(found: SearchResult, *caveats: Caveat) -> SearchResult:
    return dataclasses.replace(found, caveats=frozenset(caveats))


def test_an_answer_by_fingerprints_alone_says_so() -> None:
    reply = search_reply(with_caveats(result(match()), Caveat.SAME_IMAGES_ONLY))
    check(reply)
    assert COPIES_ONLY in shown(reply)
    assert reply.text.startswith("Best match in parts")


def test_where_only_copies_were_looked_for_nothing_is_called_not_close() -> None:
    reply = search_reply(with_caveats(result(), Caveat.SAME_IMAGES_ONLY))
    check(reply)
    assert "There is no copy of this in `parts`" in shown(reply)
    assert COPIES_ONLY in shown(reply)
    assert "close" not in reply.text
    assert "close" not in shown(reply)


def test_an_answer_that_others_crowded_says_that_there_may_be_more() -> None:
    reply = search_reply(with_caveats(result(match()), Caveat.CROWDED_OUT))
    check(reply)
    assert "There may be more" in shown(reply)


def test_what_holds_for_all_pictures_of_a_message_is_said_once() -> None:
    degraded = [Looked(f"{number}.png", with_caveats(result(match()), Caveat.SAME_IMAGES_ONLY)) for number in range(4)]
    reply = pictures_reply([*degraded, Looked("broken.png", problem="Not a picture.")])
    check(reply)
    assert shown(reply).count(COPIES_ONLY) == 1


def test_what_holds_for_one_of_them_is_said_with_it() -> None:
    some = [Looked("1.png", result(match())), Looked("2.png", with_caveats(result(), Caveat.SAME_IMAGES_ONLY))]
    reply = pictures_reply(some)
    check(reply)
    assert shown(reply).count(COPIES_ONLY) == 1
    assert "There is no copy of this" in shown(reply)


def test_an_answer_without_caveats_says_nothing_of_the_kind() -> None:
    assert COPIES_ONLY not in shown(search_reply(result(match())))
