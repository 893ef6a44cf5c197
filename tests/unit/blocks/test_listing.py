"""Pages of a database: complete, within the limits, with buttons for the next and previous page."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks.button_state import EntityState, ImageState, ListState, decode_image_option
from bot.blocks.ids import ActionId
from bot.blocks.messages.image_details import PictureRef
from bot.blocks.messages.listing import (
    DELETE,
    IMAGES_PER_PAGE,
    MOVE,
    SIMILAR,
    ImageChoices,
    listing_reply,
    photos_reply,
)
from bot.blocks.reply import Reply
from bot.domain.catalogue import ImageRecord
from bot.domain.identifiers import DataId
from tests.unit.blocks.answers import check, info, links, names, pressable, record, shown, storable, texts

STATE = ListState(database="parts")


def listing(
    *records: ImageRecord, total: int = 20, state: ListState = STATE, hidden: int = 0, more: bool = False
) -> Reply:
    pictures = {DataId("1"): PictureRef(slack_file="F0123")}
    return listing_reply(info(), records, total=total, state=state, pictures=pictures, hidden=hidden, more=more)


def test_image_is_listed_with_its_picture_and_origin() -> None:
    reply = listing(record(note="Ball valve", origin="https://fake.slack.com/archives/C1/p12"), total=1)
    check(reply)
    assert reply.text == "1 image in `parts`, newest first"
    for part in ("`valve_0042`", "Ball valve", "<@U0ADDER>", "|original message>", '"slack_file": {"id": "F0123"}'):
        assert part in shown(reply)
    [edit, *menu] = pressable(reply.blocks).items()
    assert (edit[0], edit[1]["action_id"]) == ("Edit", ActionId.EDIT_IMAGE)
    assert ImageState.decode(edit[1]["value"]) == ImageState("parts", "1")
    assert [(label, decode_image_option(option["value"])) for label, option in menu] == [
        ("Find similar", (SIMILAR, ImageState("parts", "1"))),
        ("Move to another id", (MOVE, ImageState("parts", "1"))),
        ("Delete this image …", (DELETE, ImageState("parts", "1"))),
    ]
    # As large as Slack shows pictures, not a thumbnail beside the text.
    assert [block["type"] for block in reply.blocks] == ["section", "image", "section", "actions"]


def test_note_comes_first_if_it_is_a_short_line() -> None:
    assert (
        listing(record(note="Ball valve"), total=1)
        .blocks[2]["text"]["text"]
        .startswith("*Ball valve*  ·  `valve_0042`\n")
    )
    for note in ("Ball *valve*", "Ball valve " * 12):
        blocks = listing(record(note=note), total=1).blocks
        assert blocks[2]["text"]["text"].startswith("`valve_0042`\n")
        assert note.strip()[:10] in blocks[3]["elements"][0]["text"]


def test_reader_sees_only_what_they_may_do() -> None:
    choices = {DataId("1"): ImageChoices(may_change=False, photos=3)}
    reply = listing_reply(info(), [record()], total=1, state=STATE, pictures={}, hidden=0, more=False, choices=choices)
    check(reply)
    assert list(pressable(reply.blocks)) == ["Find similar", "All 3 photos"]
    assert "one of 3 photos" in shown(reply)
    alone = {DataId("1"): ImageChoices(may_change=False)}
    reply = listing_reply(info(), [record()], total=1, state=STATE, pictures={}, hidden=0, more=False, choices=alone)
    check(reply)
    assert pressable(reply.blocks)["Find similar"]["action_id"] == f"{ActionId.IMAGE_MENU}:similar"


def test_listing_is_sorted_and_jumped_in() -> None:
    state = ListState(database="parts", prefix="valve", order="id", offset=5)
    reply = listing(record(), state=state)
    check(reply)
    assert "by id" in reply.text
    row = pressable(reply.blocks)
    sorts = {label: ListState.decode(row[label]["value"]) for label in ("Newest first", "Oldest first", "By id")}
    assert {label: (sort.order, sort.offset, sort.prefix) for label, sort in sorts.items()} == {
        "Newest first": ("desc", 0, "valve"),
        "Oldest first": ("asc", 0, "valve"),
        "By id": ("id", 0, "valve"),
    }
    assert ListState.decode(row["Show all"]["value"]) == ListState("parts", "", "id")
    assert row["Jump to an id"]["action_id"] == ActionId.LIST_JUMP
    assert not {"Show all", "By id"} & set(pressable(listing(record(), total=1).blocks))


def test_title_counts_ids_too() -> None:
    reply = listing_reply(info(), [record()], total=3, state=STATE, pictures={}, hidden=0, more=False, ids=2)
    assert reply.text == "3 images of 2 ids in `parts`, newest first"


def test_id_from_a_file_name_is_marked() -> None:
    assert "`IMG_1`  ·  named automatically" in shown(listing(record(entity="IMG_1", automatic=True)))
    assert "named automatically" not in shown(listing(record()))


def test_id_shows_no_markup() -> None:
    reply = listing(record(entity="<!channel> *a*`b`&"))
    check(reply)
    assert "`&lt;!channel&gt; *a*'b'&amp;`" in shown(reply)


def test_pages_have_next_and_previous_buttons() -> None:
    state = ListState(database="parts", prefix="valve", order="asc", offset=IMAGES_PER_PAGE)
    reply = listing(record(), state=state, more=True)
    check(reply)
    assert reply.text == "20 images in `parts` with an id that starts with `valve`, oldest first, page 2 of 4"
    buttons = pressable(reply.blocks)
    assert buttons["Show previous"]["action_id"] == f"{ActionId.LIST_PAGE}:previous"
    assert buttons["Show more"]["action_id"] == f"{ActionId.LIST_PAGE}:next"
    assert ListState.decode(buttons["Show previous"]["value"]).offset == 0
    assert ListState.decode(buttons["Show more"]["value"]) == ListState("parts", "valve", "asc", 2 * IMAGES_PER_PAGE)


def test_empty_listing_says_why() -> None:
    assert listing(total=0).text == "No images in `parts` yet."
    nothing = listing(total=0, state=ListState(database="parts", prefix="x"))
    assert nothing.text == "No images in `parts` have an id that starts with `x`."


def test_hidden_images_are_counted() -> None:
    assert "1 image on this page is from a conversation that you can't see." in shown(listing(record(), hidden=1))
    assert "2 images on this page are from conversations" in shown(listing(record(), hidden=2))


records = st.builds(
    lambda note, entity, origin, user: record("1", note, entity=entity, origin=origin, added_by=user),
    storable,
    names,
    links,
    st.just("U0ADDER") | texts,
)


@settings(deadline=None)
@given(
    st.lists(records, max_size=3),
    st.sampled_from([1, 8]),
    st.integers(0, 10**6),
    st.builds(ListState, st.just("parts"), names | texts, st.sampled_from(["asc", "desc"]), st.integers(0, 10**6)),
    st.tuples(
        st.sampled_from(["", "https://bot.example/" + "m" * 250, "https://bot.example/" + "m" * 2900]),
        st.sampled_from(["", "https://bot.example/e/" + "t" * 480]),
    ),
)
def test_every_page_is_complete_and_within_the_limits(
    few: list[ImageRecord], times: int, total: int, state: ListState, urls: tuple[str, str]
) -> None:
    url, link = urls
    page = (few * times)[:IMAGES_PER_PAGE]
    pictures = {DataId("1"): PictureRef(url=url)}
    pages = dict.fromkeys([image.data_id for image in page], link)
    reply = listing_reply(
        info(), page, total=total, state=state, pictures=pictures, hidden=total, more=True, links=pages
    )
    check(reply)
    assert shown(reply).count("|open page>") == (len(page) if link else 0)
    assert sum(block["type"] == "section" for block in reply.blocks) == len(page) + 1


def test_only_images_that_the_person_may_change_can_be_edited() -> None:
    reply = listing_reply(
        info(),
        [record("1"), record("2")],
        total=2,
        state=STATE,
        pictures={},
        hidden=0,
        more=False,
        choices={DataId("1"): ImageChoices(may_change=False), DataId("2"): ImageChoices()},
    )
    check(reply)
    rows = [element for block in reply.blocks if block["type"] == "actions" for element in block["elements"]]
    [edit] = [element for element in rows if element["action_id"] == ActionId.EDIT_IMAGE]
    assert ImageState.decode(edit["value"]) == ImageState("parts", "2")


def test_photos_of_an_entity_are_large_and_have_pages() -> None:
    pictures = {DataId("1"): PictureRef(slack_file="F0123")}
    state = EntityState("parts", "valve_0042", offset=5)
    reply = photos_reply(state, [record("1"), record("2")], total=12, pictures=pictures)
    check(reply)
    assert reply.text == "Photos 6 to 7 of 12 of `valve_0042` in `parts`"
    [image] = [block for block in reply.blocks if block["type"] == "image"]
    assert image["alt_text"] == "valve_0042, photo 6 of 12"
    buttons = pressable(reply.blocks)
    assert EntityState.decode(buttons["Show previous"]["value"]) == EntityState("parts", "valve_0042")
    assert EntityState.decode(buttons["Show more"]["value"]).offset == 10
    whole = photos_reply(EntityState("parts", "valve_0042"), [record("1")], total=1, pictures={})
    assert whole.text == "1 photo of `valve_0042` in `parts`"
    assert pressable(whole.blocks) == {}


def test_page_whose_images_were_deleted_meanwhile_says_so() -> None:
    reply = photos_reply(EntityState("parts", "valve_0042", offset=10), [], total=10, pictures={})
    check(reply)
    assert reply.text == "No more photos of `valve_0042` in `parts`."
    assert list(pressable(reply.blocks)) == ["Show previous"]
    assert listing(total=10, state=ListState("parts", offset=10)).text == (
        "10 images in `parts`, newest first, page 2 of 2"
    )
