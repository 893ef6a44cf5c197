"""Messages of a history are read as the shares that their events were."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads.history import PastPlace, has_replies_after, parse_past_share

PLACE = PastPlace(WorkspaceId("T1"), "E1", "C1", ChannelKind.PRIVATE, "UBOT")
FILE = {"id": "F1", "name": "valve.png", "mimetype": "image/png", "url_private": "https://files.slack.com/F1"}
MESSAGE: dict[str, Any] = {"type": "message", "user": "U1", "ts": "5.0", "text": "id:V1 Brass", "files": [FILE]}


def test_edited_message_is_the_share_that_it_was() -> None:
    share = parse_past_share({**MESSAGE, "edited": {"user": "U1"}, "thread_ts": "4.0", "team": "T9"}, PLACE)
    assert share is not None
    assert (share.workspace, share.enterprise, share.channel, share.kind) == ("T1", "E1", "C1", ChannelKind.PRIVATE)
    assert (share.user, share.ts, share.thread_ts, share.text) == ("U1", "5.0", "4.0", "id:V1 Brass")
    assert (share.user_workspace, [file.id for file in share.files]) == ("T9", ["F1"])


@pytest.mark.parametrize(
    "change",
    [
        {"bot_id": "B1"},
        {"user": "UBOT"},
        {"text": "<@UBOT> what is it?"},
        {"subtype": "channel_join"},
        {"subtype": "tombstone"},
        {"files": []},
        {"files": [FILE | {"mode": "tombstone"}]},
        {"files": [FILE | {"mimetype": "text/plain"}]},
    ],
)
def test_other_messages_are_no_shares(change: dict[str, Any]) -> None:
    assert parse_past_share(MESSAGE | change, PLACE) is None


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"reply_count": 2, "latest_reply": "9.0"}, True),
        ({"reply_count": 2, "latest_reply": "6.0"}, False),
        ({"reply_count": 2}, True),
        ({"thread_ts": "5.0", "latest_reply": "9.0"}, True),
        ({"thread_ts": "4.0", "reply_count": 1}, False),
        ({}, False),
    ],
)
def test_threads_with_newer_replies_are_read(about: dict[str, Any], expected: bool) -> None:
    assert has_replies_after(MESSAGE | about, "6.0") is expected
