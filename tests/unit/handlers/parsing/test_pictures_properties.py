"""Property tests: whatever the shape of a message, finding its pictures neither fails nor goes on for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from handlers.parsing.payloads import SharedFile, parse_share
from handlers.parsing.payloads.pictures import MAX_LINKS, MAX_OBJECTS, pictures_of, shows_file, unfurled
from tests.fixtures.payloads import PICTURE, Json, anything, assert_well_typed, event
from tests.fixtures.shown_pictures import FORWARD

DIRECT = {"channel": "D1", "channel_type": "im"}

KEYS = st.sampled_from(
    [
        "attachments",
        "blocks",
        "files",
        "message_blocks",
        "message",
        "elements",
        "accessory",
        "cards",
        "children",
        "image_url",
        "thumb_url",
        "slack_file",
        "type",
        "id",
        "url",
        "title",
        "text",
        "thumb_1024",
        "thumb_pdf_w",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(
        ["https://x.example/a.png", "http://[::1", "F1", "image", "context", "https://" + "a" * 4000, "\ud800"]
    )
)
SHAPES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, SHAPES, max_size=8))
@example({"attachments": [[[]], {"attachments": {"attachments": []}}, None]})
def test_no_shape_of_a_message_fails(message: Mapping[str, Any]) -> None:
    for found in (pictures_of(message), pictures_of(message, waits_for_previews=True, icons=False)):
        for file in found:
            assert_well_typed(file, SharedFile)
        assert len({file.id for file in found}) == len(found)
    shows_file(message, "F1")
    unfurled(message, "https://x.example/a.png")
    parse_share(event(**{**message, **DIRECT, "type": "message", "user": "U1", "ts": "1.2", "text": ""}))


@given(anything)
def test_other_values_in_place_of_lists_do_not_fail(value: object) -> None:
    message = {"attachments": value, "blocks": value, "files": value}
    pictures_of(message | {"attachments": [{"message_blocks": value, "blocks": value, "files": value}]})
    pictures_of(message)


def test_deep_and_wide_messages_end() -> None:
    deep: Json = {"files": [PICTURE]}
    for _ in range(5000):
        deep = {"attachments": [deep], "blocks": [{"type": "card", "elements": [{"type": "image"}]}]}
    assert pictures_of(deep) == ()
    loop: Json = dict(FORWARD)
    loop["attachments"] = [loop, loop, loop]
    assert [file.id for file in pictures_of(loop | {"files": []})] == ["F7"]
    addresses = [f"https://x.example/{number}.png" for number in range(3 * MAX_LINKS)]
    assert len(pictures_of({"attachments": [{"image_url": address} for address in addresses]})) == MAX_LINKS
    many = {"files": [PICTURE | {"id": f"F{number}"} for number in range(3 * MAX_OBJECTS)]}
    assert len(pictures_of(many)) == MAX_OBJECTS
