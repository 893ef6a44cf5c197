"""Which channels may have pictures that the inbox doesn't know."""

from __future__ import annotations

from bot.domain.identifiers import WorkspaceId
from handlers.inbox.picture_sightings import PictureSightings
from tests.fixtures.payloads import Json, event, share
from tests.fixtures.shown_pictures import APP_BLOCKS, IMAGE_LINK, forwarding

T1 = WorkspaceId("T1")


def seen(*bodies: Json, sees_all: bool = True) -> PictureSightings:
    sightings = PictureSightings(sees_all=sees_all)
    for body in bodies:
        sightings.note(body)
    return sightings


def test_history_is_needed_for_what_this_process_did_not_see() -> None:
    assert seen().may_be_newer(T1, "C1", "1.2")
    assert seen(share(ts="1.3")).may_be_newer(T1, "C1", "1.2")
    assert seen(share(channel="C2")).may_be_newer(T1, "C1", "1.2")
    assert seen(share(), sees_all=False).may_be_newer(T1, "C1", "1.2")
    assert not seen(share()).may_be_newer(T1, "C1", "1.2")


def test_later_pictures_of_apps_and_links_are_noted() -> None:
    words = forwarding(ts="1.4", attachments=[])
    unfurl = event(
        type="message", subtype="message_changed", channel="C1", message={"ts": "1.4", "attachments": [IMAGE_LINK]}
    )
    app = forwarding(ts="1.5", attachments=[], blocks=APP_BLOCKS, bot_id="B2", user=None)
    assert not seen(share(), words).may_be_newer(T1, "C1", "1.2")
    assert seen(share(), words, unfurl).may_be_newer(T1, "C1", "1.2")
    assert seen(share(), app).may_be_newer(T1, "C1", "1.2")
    assert not seen(share(), app, share(ts="1.6")).may_be_newer(T1, "C1", "1.6")


def test_any_payload_is_looked_at() -> None:
    for body in ({}, {"event": 1}, {"event": {"type": "message"}}, {"event": {"type": "message", "message": []}}):
        seen(body)
