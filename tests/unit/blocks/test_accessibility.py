"""What people hear who don't see a message: labels of repeated buttons, texts of pictures, and top-level text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from bot.blocks.button_state import AddState, ListState
from bot.blocks.home.content import HomeContent
from bot.blocks.home.view import home_view
from bot.blocks.messages.additions import KnownImage, copy_question, known_images_reply
from bot.blocks.messages.combination import joined
from bot.blocks.messages.fallback import with_plain_buttons
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.listing import ImageChoices, listing_reply
from bot.blocks.messages.reports import reports_reply
from bot.blocks.messages.results.feedback import rating_reply
from bot.blocks.messages.results.matches import PresentationOptions
from bot.blocks.messages.results.one_picture import search_reply
from bot.blocks.reply import Reply
from bot.domain.channels import ChannelBinding, ChannelMode
from bot.domain.identifiers import DataId
from bot.services.search.grouping import RankedMatch
from tests.unit.blocks.answers import (
    KEY,
    LABEL,
    PICTURES,
    STATE,
    accessible,
    check,
    check_view,
    feedback_of,
    info,
    match,
    parts_of,
    record,
    result,
)
from tests.unit.blocks.test_reports import acted

LONGEST = "v&<w>" + "x" * 59
OPTIONS = PresentationOptions(pictures=PICTURES, state=STATE, fingerprint=b"print")


def labels_of(blocks: Sequence[dict[str, Any]]) -> list[str]:
    return [one["accessibility_label"] for one in parts_of(list(blocks)) if "accessibility_label" in one]


def alt_texts(blocks: Sequence[dict[str, Any]]) -> list[str]:
    return [one["alt_text"] for one in parts_of(list(blocks)) if one.get("type") == "image"]


def comparable(rank: int, entity: str = "valve_0042") -> RankedMatch:
    """Return a match that can be compared with the asked picture."""
    found = match(rank=rank, entity=entity)
    return dataclasses.replace(found, match=dataclasses.replace(found.match, aligned=True))


def answer() -> Reply:
    return search_reply(result(comparable(1), comparable(2), comparable(3, LONGEST)), OPTIONS)


def listing(*entities: str, may_change: bool = True) -> Reply:
    records = [record(str(place), entity=entity) for place, entity in enumerate(entities, start=1)]
    choices = {one.data_id: ImageChoices(may_change=may_change) for one in records}
    state = ListState(database="parts", offset=5)
    return listing_reply(info(), records, total=9, state=state, pictures=PICTURES, hidden=0, more=True, choices=choices)


def home() -> dict[str, Any]:
    modes = (ChannelMode.COLLECT, ChannelMode.GUARD, ChannelMode.COLLECT)
    channels = tuple(ChannelBinding(KEY.workspace, f"C0{number}", mode) for number, mode in enumerate(modes))
    # Names that differ only in their last character, and are as long as names may be.
    names = [f"{'d' * 63}{number}" for number in range(3)]
    return home_view(HomeContent(tuple(map(info, names)), channels, "embedded"))


def rating() -> Reply:
    return rating_reply([(number, f"{number}.png", match(), OPTIONS) for number in (1, 2)])


def questions() -> Reply:
    asked = [copy_question(match(), "parts", AddState(stays=True), PICTURES) for _ in range(2)]
    return joined([one for one in asked if one is not None])


def known() -> Reply:
    return known_images_reply("parts", [KnownImage(record(str(one)), f"{one}.png", "other") for one in range(3)])


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(), ["Compare: match 1, valve_0042", "Compare: match 2, valve_0042", f"Compare: match 3, {LONGEST}"]),
        (listing("valve", "valve"), ["Edit: image 6, valve", "Edit: image 7, valve"]),
        (listing("v1", "v2", may_change=False), ["Find similar: image 6, v1", "Find similar: image 7, v2"]),
        (rating(), [f"{said}: picture {one}, valve_0042" for one in (1, 2) for said in ("Right", "Wrong")]),
        (questions(), [f"{said}: answer {one}" for one in (1, 2) for said in ("Add anyway", "Add to valve_0042")]),
        (known(), [f"Edit: image {one}, valve_0042" for one in (1, 2, 3)]),
    ],
    ids=["answer", "listing", "listing for readers", "rating", "copies", "known images"],
)
def test_repeated_buttons_say_what_they_are_about(reply: Reply, expected: list[str]) -> None:
    check(reply)
    cut = [label if len(label) <= LABEL else f"{label[: LABEL - 1]}…" for label in expected]
    assert labels_of(reply.blocks) == cut
    plain = with_plain_buttons(reply.blocks)
    accessible(list(plain))
    assert labels_of(plain) == cut


def test_buttons_of_several_reports_are_told_apart() -> None:
    [message] = reports_reply([acted(1), acted(2)]).messages
    accessible(list(message.blocks))
    assert "Never match these two again: report 2" not in labels_of(reports_reply([acted(1)]).blocks)
    assert {label.rpartition(": ")[2] for label in labels_of(message.blocks)} == {"report 1", "report 2"}
    assert "2. The earlier image: VLV-0042/A" in alt_texts(message.blocks)


def test_buttons_of_app_home_name_their_database_or_channel() -> None:
    view = home()
    check_view(view)
    labels = labels_of(view["blocks"])
    assert [label for label in labels if label.startswith("Settings")] == [
        f"Settings: {'d' * 63}{number}" for number in range(3)
    ]
    assert [label for label in labels if label.startswith("Edit")] == [
        f"Edit: channel {number}, {mode}" for number, mode in enumerate(("collect", "guard", "collect"), start=1)
    ]


def test_lone_button_has_no_label_of_its_own() -> None:
    # What is on it says enough, and a server that speaks an older Block Kit may refuse the field.
    reply = search_reply(result(match()), OPTIONS)
    assert labels_of(reply.blocks) == []
    assert len(feedback_of(list(reply.blocks))) == 2


def test_pictures_of_lists_are_described() -> None:
    pictures = {DataId("1"): PictureRef(slack_file="F1")}
    named = record("1", "Ball valve,\nDN 25", entity="IMG_1.jpg")
    reply = listing_reply(
        info(), [named], total=1, state=ListState(database="parts"), pictures=pictures, hidden=0, more=False
    )
    check(reply)
    assert alt_texts(reply.blocks) == ["Image 1 in parts: IMG_1.jpg, Ball valve, DN 25"]


def test_top_level_text_says_what_the_best_match_is() -> None:
    reply = answer()
    for part in ("valve_0042", "9.8/10", "edited copy", "parts"):
        assert part in reply.text
    [first, *_] = alt_texts(reply.blocks)
    assert first == "valve_0042, 9.8/10, edited copy"
