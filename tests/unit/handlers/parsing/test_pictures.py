"""The pictures of a message: forwarded files, image blocks, unfurled links, and previews of files."""

from __future__ import annotations

import pytest

from handlers.parsing.grammar import is_command, is_prose, is_question
from handlers.parsing.payloads import (
    FileState,
    ImageShare,
    SharedFile,
    parse_deletion,
    parse_file,
    parse_mention,
    parse_share,
)
from handlers.parsing.payloads.pictures import pictures_of, shows_file, unfurled
from handlers.parsing.payloads.tables import parse_table_share
from tests.fakes.slack.files import connect_stub, tombstone
from tests.fixtures.payloads import PICTURE, Json, event, mention, share
from tests.fixtures.shown_pictures import (
    APP_BLOCKS,
    FORWARD,
    IMAGE_LINK,
    NESTED_FORWARD,
    OFFICE,
    PAGE_LINK,
    PDF,
    PHOTOSHOP,
    VIDEO,
    forwarding,
)

DIRECT = {"channel": "D1", "channel_type": "im"}


def ids(*files: SharedFile) -> list[str]:
    return [file.id for file in files]


def links(message: Json, *, icons: bool = True) -> list[str]:
    return [file.link for file in pictures_of(message, icons=icons) if file.link]


def parsed(payload: Json) -> ImageShare:
    found = parse_share(payload)
    assert found is not None
    return found


@pytest.mark.parametrize("attachment", [FORWARD, NESTED_FORWARD, FORWARD | {"is_share": None}])
def test_forwarded_files_are_shared_with_their_message(attachment: Json) -> None:
    found = parsed(forwarding(attachment, PAGE_LINK))
    assert ids(*found.files) == ["F7"]
    # Whether the bot may read it, only files.info tells.
    assert found.files[0].state is FileState.STUB
    assert (found.ts, found.channel, found.text) == ("1.2", "C1", "look")


def test_forwarded_files_come_after_the_own_ones_and_once() -> None:
    payload = share(PICTURE, attachments=[FORWARD, FORWARD | {"id": 2, "files": [PICTURE, PICTURE | {"id": "F5"}]}])
    assert ids(*parsed(payload).files) == ["F1", "F7", "F5"]
    assert parsed(payload).files[0].state is FileState.READY


@pytest.mark.parametrize("file", [connect_stub("F7"), tombstone("F7")])
def test_stubs_of_forwarded_files_keep_their_state(file: Json) -> None:
    message = {"attachments": [FORWARD | {"files": [file]}]}
    states = [FileState.STUB if "file_access" in file else FileState.GONE]
    assert [one.state for one in pictures_of(message)] == states


@pytest.mark.parametrize("fields", [{}, {"bot_id": "B2", "app_id": "A2"}, {"subtype": "bot_message"}])
def test_what_slack_shows_is_no_share_unless_somebody_asks(fields: Json) -> None:
    links = () if not fields else (IMAGE_LINK,)
    blocks = APP_BLOCKS[:2] if not fields else APP_BLOCKS
    shown = forwarding(PAGE_LINK, *links, blocks=blocks, files=[PDF, VIDEO], **fields)
    assert (parse_share(shown), parse_mention(shown)) == (None, None)


def test_links_to_pictures_and_image_blocks_are_shared_with_their_message() -> None:
    found = parsed(forwarding(IMAGE_LINK, PAGE_LINK, blocks=APP_BLOCKS, text="new <https://example.com/valve.png>"))
    shown = {block["image_url"] for block in APP_BLOCKS if block["type"] == "image" and "image_url" in block}
    assert {file.link for file in found.files if file.link} == shown | {"https://example.com/valve.png"}
    assert (found.text, found.is_question) == ("new", False)
    # A forwarded message brings what it shows, too.
    inside = FORWARD | {"files": [], "attachments": [IMAGE_LINK, PAGE_LINK]}
    assert [file.name for file in parsed(forwarding(inside)).files] == ["valve.png"]
    gone = parse_deletion(changed({"attachments": [inside]}, {}))
    assert gone is not None
    assert gone.message == "1.2"


@pytest.mark.parametrize(
    ("changes", "is_shared"),
    [
        ({}, True),
        ({"from_url": None}, True),
        ({"title": "valve.png", "service_name": "Files"}, True),
        ({"image_url": "https://cdn.example.com/1", "service_icon": "https://example.com/i.ico"}, True),
        ({"image_url": "https://cdn.example.com/1", "title": "Valve"}, False),
        ({"image_url": "https://cdn.example.com/1", "text": "A valve"}, False),
        ({"image_url": "https://cdn.example.com/1", "service_name": "Shop"}, False),
        ({"image_url": "https://cdn.example.com/1", "author_name": "Ann"}, False),
        ({"image_url": "https://cdn.example.com/1", "is_app_unfurl": True}, False),
        ({"image_url": None, "thumb_url": "https://example.com/valve.png"}, True),
        ({"image_url": None, "thumb_url": "https://cdn.example.com/1"}, False),
        ({"image_url": "file:///etc/passwd"}, False),
        ({"from_url": None, "original_url": None}, True),
        ({"from_url": None, "original_url": None, "text": "A valve"}, False),
        ({"from_url": None, "original_url": None, "app_id": "A2"}, False),
    ],
)
def test_only_a_link_to_the_picture_itself_is_a_share(changes: Json, *, is_shared: bool) -> None:
    assert bool(parse_share(forwarding(IMAGE_LINK | changes))) is is_shared


def test_everything_that_slack_shows_is_asked_about() -> None:
    asked = parsed(forwarding(IMAGE_LINK, FORWARD, files=[PDF], **DIRECT))
    assert ids(*asked.files)[:2] == ["F20", "F7"]
    assert [file.link for file in asked.files[2:]] == ["https://example.com/valve.png"]
    assert asked.is_question
    mentioned = forwarding(IMAGE_LINK, type="app_mention", text="<@U0BOT> seen this?")
    assert len(parsed(mentioned).files) == 1
    assert parse_mention(mentioned) is None


def test_command_with_an_unfurled_link_stays_a_command() -> None:
    text = "add https://example.com/valve.png in:parts id:valve"
    payload = forwarding(IMAGE_LINK, text=text, **DIRECT)
    assert parse_share(payload) is None
    assert parse_mention(payload) is not None
    assert parse_share(mention(text="<@U0BOT> status", files=[PDF])) is None


SAID: Json = {"type": "message", "user": "U1", "ts": "1.2", "text": "x"}


def shown_later(after: Json, before: Json = SAID, **fields: object) -> Json:
    place: Json = {"channel": "C1", "channel_type": "channel", "ts": "1.3", **fields}
    return event(
        type="message", subtype="message_changed", hidden=True, **place, message=after, previous_message=before
    )


def test_link_that_slack_shows_later_is_shared_with_its_message() -> None:
    after = SAID | {"attachments": [IMAGE_LINK, PAGE_LINK, FORWARD], "thread_ts": "1.1", "edited": {"ts": "1.2"}}
    found = parsed(shown_later(after, SAID | {"edited": {"ts": "1.2"}}))
    assert [file.name for file in found.files] == ["valve.png"]
    assert (found.ts, found.reply_to, found.channel, found.user) == ("1.2", "1.1", "C1", "U1")
    # The inbox knows it from another event of the message.
    assert found.files == parsed(forwarding(IMAGE_LINK)).files
    # Other clients' attachments may not say which link they are of.
    bare = {"image_url": "https://example.com/valve.png", "fallback": "640x480px image"}
    assert parsed(shown_later(SAID | {"attachments": [bare]})).files == found.files
    assert parse_share(shown_later(SAID | {"attachments": [bare]}, SAID | {"attachments": [bare]})) is None


@pytest.mark.parametrize(
    ("after", "before", "place"),
    [
        ({}, {}, DIRECT),
        ({"text": "<@U0BOT> x"}, {"text": "<@U0BOT> x"}, {}),
        ({}, {"attachments": [IMAGE_LINK]}, {}),
        ({}, {"text": "before the edit"}, {}),
        ({"bot_id": "B2"}, {}, {}),
        ({"subtype": "bot_message"}, {}, {}),
        ({"subtype": "tombstone", "hidden": True}, {}, {}),
        ({"user": "U0BOT"}, {}, {}),
        ({"attachments": [PAGE_LINK, FORWARD]}, {}, {}),
    ],
)
def test_other_changes_of_messages_are_no_shares(after: Json, before: Json, place: Json) -> None:
    later = shown_later(SAID | {"attachments": [IMAGE_LINK]} | after, SAID | before, **place)
    assert (parse_share(later), parse_mention(later)) == (None, None)


def test_image_blocks_are_found_and_icons_only_if_there_is_nothing_else() -> None:
    message = {"blocks": APP_BLOCKS, "bot_id": "B2"}
    found = pictures_of(message)
    assert ids(*(file for file in found if not file.link)) == ["F8", "F9", "F10"]
    assert links(message) == ["https://cdn.example.com/parts/valve%20a.jpg?w=900", "https://video.example.com/1.jpg"]
    assert [file.name for file in found] == ["Valve A", "valve b", "valve c", "valve d", "Turning"]
    small = {"blocks": [APP_BLOCKS[1], APP_BLOCKS[-1]]}
    assert links(small) == ["https://example.com/logo.png", "https://example.com/icon.png"]
    assert links(small, icons=False) == []


def test_pictures_of_attachments_are_found_at_any_place() -> None:
    inner = {"message_blocks": [{"message": {"blocks": APP_BLOCKS[2:3]}}]}
    attachments = [PAGE_LINK, {"fallback": "b", "blocks": APP_BLOCKS[3:4]}, FORWARD | inner | {"files": []}]
    found = pictures_of({"attachments": attachments})
    assert [file.link or file.id for file in found] == [
        "https://shop.example.com/valve_small.jpg",
        "F8",
        "https://cdn.example.com/parts/valve%20a.jpg?w=900",
    ]
    assert found[0].name == "Ball valve"


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "data:image/png;base64,AA", "//x/y.png", "https://[", 7])
def test_other_addresses_are_no_pictures(url: object) -> None:
    assert pictures_of({"blocks": [{"type": "image", "image_url": url, "alt_text": "x"}]}) == ()


def test_address_of_a_slack_file_in_an_app_message_is_fetched_like_any_link() -> None:
    url = "https://files.slack.com/files-pri/T1-F99/secret.png"
    (file,) = pictures_of({"attachments": [{"image_url": url}]})
    assert (file.link, file.url) == (url, "")
    assert file.id.startswith("link-")


def test_preview_of_a_link_is_found_by_the_link() -> None:
    message = {"attachments": [FORWARD, IMAGE_LINK, PAGE_LINK]}
    for url in (
        "https://shop.example.com/valve?utm=1",
        "https://shop.example.com/valve/",
        "https://shop.example.com/valve#a",
    ):
        found = unfurled(message, url)
        assert found is not None
        assert found.link == "https://shop.example.com/valve_small.jpg"
    assert unfurled(message, "https://shop.example.com/") is None


@pytest.mark.parametrize(
    ("raw", "best", "offered"),
    [
        (PDF, "sheet_thumb_pdf.png", 1),
        (OFFICE, "sheet_thumb_pdf.png", 1),
        (VIDEO, "clip_thumb_video.jpeg", 1),
        (PHOTOSHOP, "480.png", 4),
        (PICTURE | {"deanimate_gif": "https://files.slack.com/still.png"}, "valve_1024.png", 3),
        (PICTURE | {"pjpeg": "https://files.slack.com/p.jpg", "pjpeg_w": 2048}, "p.jpg", 3),
    ],
)
def test_largest_rendition_comes_first(raw: Json, best: str, offered: int) -> None:
    file = parse_file(raw)
    assert file is not None
    assert file.renditions[0].endswith(best)
    assert len(file.renditions) == offered
    assert file.is_shown


def test_square_crops_come_last() -> None:
    file = parse_file(PHOTOSHOP)
    assert file is not None
    assert [url.rpartition("/")[2] for url in file.renditions] == ["480.png", "360.png", "160.png", "64.png"]


@pytest.mark.parametrize("mimetype", ["text/csv", "text/plain", "audio/mp4", "application/zip"])
def test_other_files_have_no_preview(mimetype: str) -> None:
    payload = share({**PDF, "mimetype": mimetype, "thumb_pdf": None, "thumb_360": None}, **DIRECT)
    assert parse_share(payload) is None


def test_document_whose_preview_is_not_made_yet_is_awaited_only_in_questions() -> None:
    bare = {name: value for name, value in PDF.items() if not name.startswith("thumb_")}
    assert ids(*parsed(share(bare, **DIRECT)).files) == ["F20"]
    assert parse_share(share(bare)) is None
    assert pictures_of({"files": [bare]}) == ()


def test_table_stays_a_table() -> None:
    assert parse_table_share(share(OFFICE | {"name": "list.xlsx"}, **DIRECT)) is not None


def changed(before: Json, after: Json) -> Json:
    messages = {"message": {"ts": "1.2", **after}, "previous_message": {"ts": "1.2", **before}}
    return event(type="message", subtype="message_changed", channel="C1", hidden=True, **messages)


def test_message_that_loses_what_it_forwards_is_deleted() -> None:
    gone = FORWARD | {"files": [tombstone("F7")]}
    without: tuple[Json, ...] = ({}, {"attachments": []}, {"attachments": [PAGE_LINK]}, {"attachments": [gone]})
    for after in without:
        found = parse_deletion(changed({"attachments": [FORWARD]}, after))
        assert found is not None
        assert (found.channel, found.message, found.file) == ("C1", "1.2", "")
    others: tuple[tuple[Json, Json], ...] = (
        ({"attachments": [FORWARD]}, {"attachments": [FORWARD], "text": "edited"}),
        ({"attachments": [FORWARD], "files": [PICTURE]}, {"files": [PICTURE]}),
        ({"attachments": [IMAGE_LINK]}, {}),
        ({}, {"attachments": [FORWARD]}),
    )
    for before, after in others:
        assert parse_deletion(changed(before, after)) is None


def test_message_shows_forwarded_files_but_its_own_are_slacks_to_count() -> None:
    assert shows_file({"attachments": [NESTED_FORWARD]}, "F7")
    assert shows_file({"blocks": APP_BLOCKS}, "F8")
    assert not shows_file({"files": [PICTURE]}, "F1")
    assert not shows_file({"attachments": [FORWARD | {"files": [tombstone("F7")]}]}, "F7")


@pytest.mark.parametrize(
    ("text", "asks", "prose"),
    [
        ("", True, True),
        ("in:parts min:3", True, True),
        ("have we seen this?", True, True),
        ("what?", True, True),
        ("search", True, False),
        ("find similar", True, False),
        ("search last", False, False),
        ("https://example.com/a.png", False, False),
        ("status", False, False),
        ("add in:parts id:x", False, False),
        ("show me the list", False, False),
        ("help", False, False),
        ("hello there", False, False),
    ],
)
def test_questions_are_told_from_commands(text: str, *, asks: bool, prose: bool) -> None:
    assert (is_question(text), is_prose(text)) == (asks, prose)
    assert not (is_command(text) and is_prose(text))
