"""Parts of the searched picture: where a match was found, what was searched, and the choice of a part."""

from __future__ import annotations

import dataclasses

import pytest

from bot.blocks.button_state import SearchState, encode_part
from bot.blocks.ids import ActionId
from bot.blocks.messages.image_details import NO_PICTURE, PictureRef
from bot.blocks.messages.parts import parts_reply
from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.blocks.wording.results import found_in_part
from bot.domain.errors import InvalidInput
from bot.domain.matches import PictureRegion
from bot.images.parts import CENTRE, QUARTERS, check_region
from tests.unit.blocks.answers import STATE, check, match, pressable, ranked, result, shown

REGIONS = (CENTRE, *QUARTERS)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ((0, 0, 0.5, 0.5), "top left part"),
        ((0.55, 0.5, 0.45, 0.5), "bottom right part"),
        ((0, 0.1, 1, 0.3), "top part"),
        ((0.7, 0, 0.3, 1), "right part"),
        ((0.3, 0.65, 0.4, 0.3), "bottom part"),
        ((0.3, 0.3, 0.4, 0.4), "middle"),
        ((0, 0.1, 1, 0.8), "middle"),
    ],
)
def test_part_is_named_in_words(values: tuple[float, float, float, float], where: str) -> None:
    assert found_in_part(PictureRegion(*values)) == f"found in the {where} of the picture"


def test_match_says_in_which_part_it_was_found() -> None:
    whole = match()
    part = dataclasses.replace(whole, match=dataclasses.replace(whole.match, part=QUARTERS[0]))
    reply = search_reply(result(part))
    check(reply)
    assert "edited copy (cropped, mirrored), 9.8/10  ·  found in the top left part of the picture" in shown(reply)
    assert "found in" not in shown(search_reply(result(whole)))


@pytest.mark.parametrize(
    "region", [*REGIONS, PictureRegion(2 / 3, 2 / 3, 1 / 3, 1 / 3), PictureRegion(0.9996, 0, 0.0004, 1)]
)
def test_part_survives_its_button(region: PictureRegion) -> None:
    state = dataclasses.replace(STATE, part=encode_part(region))
    read = SearchState.decode(state.encode()).region
    assert read is not None
    assert check_region(read) == read
    assert (read.left, read.top) == pytest.approx((region.left, region.top), abs=0.001)
    assert STATE.region is None


@pytest.mark.parametrize("part", ["1,2,3", "a,b,c,d", "1,2,3,4,5"])
def test_damaged_part_is_refused(part: str) -> None:
    with pytest.raises(InvalidInput):
        _ = dataclasses.replace(STATE, part=part).region


def test_choice_has_a_button_for_each_region_and_the_drawing() -> None:
    reply = parts_reply(STATE, REGIONS, PictureRef(slack_file="F0DRAWING"))
    check(reply)
    found = pressable(reply.blocks)
    assert list(found) == [
        "1. Middle",
        "2. Top left part",
        "3. Top right part",
        "4. Bottom left part",
        "5. Bottom right part",
    ]
    assert [SearchState.decode(one["value"]).region for one in found.values()] == list(REGIONS)
    assert len({one["action_id"] for one in found.values()}) == len(REGIONS)
    [image] = [block for block in reply.blocks if block["type"] == "image"]
    assert image["slack_file"] == {"id": "F0DRAWING"}
    assert not [block for block in parts_reply(STATE, REGIONS, NO_PICTURE).blocks if block["type"] == "image"]


def test_choice_about_a_long_address_has_the_buttons_that_fit() -> None:
    state = SearchState(url="https://example.com/" + "x" * 1700, database="parts")
    reply = parts_reply(state, REGIONS * 2, NO_PICTURE)
    check(reply)
    assert 3 <= len(pressable(reply.blocks)) < 10


def test_answer_offers_its_parts_and_says_which_was_searched() -> None:
    state = dataclasses.replace(STATE, part=encode_part(QUARTERS[3]), offset=5)
    reply = search_reply(result(*ranked(9)), PresentationOptions(state=state, can_add=False, can_search_part=True))
    check(reply)
    assert "Searched only the bottom right part of the picture." in shown(reply)
    button = pressable(reply.blocks)["Search part of it"]
    assert button["action_id"] == ActionId.CHOOSE_PART
    # Another part is one of the whole picture.
    assert SearchState.decode(button["value"]) == dataclasses.replace(STATE, offset=0)


def test_button_for_parts_is_the_first_to_go_if_an_address_is_long() -> None:
    state = SearchState(url="https://example.com/" + "x" * 980, database="parts")
    options = PresentationOptions(state=state, private=True, databases=2, can_search_part=True)
    reply = search_reply(result(*ranked(9)), options)
    check(reply)
    assert list(pressable(reply.blocks)) == ["Show more", "Share to channel", "Add image", "Search another database"]
    assert "Some buttons are missing" in shown(reply)
