"""The row of actions below an answer: which there are, and what they carry."""

import dataclasses

from bot.blocks.button_state import SearchState
from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.domain.matches import Caveat
from tests.unit.blocks.answers import (
    PICTURES,
    STATE,
    carried,
    check,
    match,
    pressable,
    ranked,
    result,
    shown,
)


def test_answer_has_one_row_of_actions_and_the_rest_in_a_menu() -> None:
    options = PresentationOptions(PICTURES, STATE, private=True, databases=2, can_search_part=True)
    reply = search_reply(result(match(), weaker=3), options)
    check(reply)
    (row,) = [block["elements"] for block in reply.blocks if block["type"] == "actions"]
    assert [element["type"] for element in row] == ["button", "button", "button", "overflow"]
    assert list(pressable(reply.blocks)) == [
        "Show weaker matches",
        "Share to channel",
        "Add image",
        "Search another database",
        "Search part of it",
    ]
    assert carried(reply, "Search part of it") == dataclasses.replace(STATE, name="")
    assert carried(reply, "Add image") == STATE


def test_only_working_buttons_are_shown() -> None:
    public = search_reply(result(match()), PresentationOptions(state=STATE))
    assert list(pressable(public.blocks)) == ["Add image"]
    private = search_reply(result(*ranked(9)), PresentationOptions(state=STATE, private=True, databases=2))
    assert list(pressable(private.blocks)) == ["Show more", "Share to channel", "Add image", "Search another database"]
    nothing = search_reply(result(weaker=2), PresentationOptions(state=STATE))
    assert list(pressable(nothing.blocks)) == ["Add image", "Show weaker matches"]
    bare = search_reply(result(match()), PresentationOptions(state=STATE, can_add=False))
    assert pressable(bare.blocks) == {}
    later = dataclasses.replace(STATE, offset=5)
    assert (
        carried(search_reply(result(*ranked(9)), PresentationOptions(state=later, private=True)), "Share to channel")
        == later
    )
    other = search_reply(result(*ranked(9)), PresentationOptions(state=later, databases=2))
    assert carried(other, "Search another database") == STATE


def test_weaker_matches_are_one_press_away() -> None:
    reply = search_reply(result(match(), weaker=3), PresentationOptions(state=STATE))
    check(reply)
    assert carried(reply, "Show weaker matches") == dataclasses.replace(STATE, minimum=0.0, offset=1)
    assert "min:" not in shown(search_reply(result(match(), weaker=3)))
    for found in (result(match()), result(weaker=3, caveats={Caveat.NOTHING_TO_COMPARE}), result(*ranked(9), weaker=3)):
        assert "Show weaker matches" not in pressable(search_reply(found, PresentationOptions(state=STATE)).blocks)
    all_shown = PresentationOptions(state=dataclasses.replace(STATE, minimum=0.0))
    assert "Show weaker matches" not in pressable(search_reply(result(match(), weaker=3), all_shown).blocks)


def test_url_too_long_for_buttons_removes_them_and_says_so() -> None:
    state = SearchState(url="https://example.com/" + "x" * 2000, database="parts")
    reply = search_reply(result(*ranked(9)), PresentationOptions(state=state))
    check(reply)
    assert pressable(reply.blocks) == {}
    assert "4 more matches didn't fit here. There are no buttons because the image's URL is too long." in shown(reply)


def test_long_url_keeps_the_most_important_button() -> None:
    state = SearchState(url="https://example.com/" + "x" * 1800, database="parts", offset=1, top=1)
    reply = search_reply(result(*ranked(9)), PresentationOptions(state=state, private=True, databases=2))
    check(reply)
    assert list(pressable(reply.blocks)) == ["Show more"]
    assert "Some buttons are missing" in shown(reply)


def test_long_file_name_keeps_all_buttons() -> None:
    state = dataclasses.replace(STATE, name="\U0001f469" * 3000)
    reply = search_reply(result(match()), PresentationOptions(state=state))
    assert carried(reply, "Add image").file == STATE.file
