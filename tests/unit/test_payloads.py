"""Slack's payloads to typed requests."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.payloads import FileState, ImageShare, parse_command, parse_file, parse_share
from tests.fakes.slack.files import connect_stub, processing_stub, tombstone

PICTURE = {
    "id": "F1",
    "title": "Valve",
    "mimetype": "image/png",
    "size": 10,
    "url_private": "https://files.slack.com/files-pri/T1-F1/valve.png",
    "thumb_720": "https://files.slack.com/files-tmb/T1-F1/valve_720.png",
    "thumb_1024": "https://files.slack.com/files-tmb/T1-F1/valve_1024.png",
}


def body(*files: Any, **event: Any) -> dict[str, Any]:
    message = {
        "type": "message",
        "subtype": "file_share",
        "channel": "C1",
        "user": "U1",
        "ts": "1.2",
        "files": list(files),
    }
    return {"team_id": "T1", "event_id": "Ev1", "event": message | event}


def share(payload: dict[str, Any]) -> ImageShare:
    parsed = parse_share(payload)
    assert parsed is not None
    return parsed


def test_a_share_is_typed() -> None:
    found = share(body(PICTURE))
    assert (found.workspace, found.channel, found.user, found.ts) == ("T1", "C1", "U1", "1.2")
    (file,) = found.files
    assert (file.id, file.name, file.state, file.size) == ("F1", "Valve", FileState.READY, 10)
    assert [url.rpartition("_")[2] for url in file.renditions] == ["1024.png", "720.png"]


def test_the_answer_goes_to_the_thread_that_the_image_is_in() -> None:
    assert share(body(PICTURE)).reply_to == "1.2"
    assert share(body(PICTURE, thread_ts="0.1")).reply_to == "0.1"


def test_the_authorisation_says_whose_workspace_it_is() -> None:
    foreign = body(PICTURE) | {"team_id": "T_OTHER", "authorizations": [{"team_id": "T1"}]}
    assert share(foreign).workspace == "T1"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"event": None},
        body(),
        body(PICTURE, subtype=None),
        body(PICTURE, subtype="message_changed"),
        body(PICTURE, subtype="bot_message"),
        body(PICTURE, bot_id="B1"),
        body(PICTURE, user=None),
        body(PICTURE, files="F1"),
        body(None, 3, {}),
        body(PICTURE | {"mimetype": "application/pdf"}),
        body(PICTURE | {"mimetype": "text/plain"}),
    ],
)
def test_everything_else_starts_nothing(payload: dict[str, Any]) -> None:
    assert parse_share(payload) is None


def test_files_that_are_no_images_are_left_out_of_a_share() -> None:
    found = share(body(PICTURE, PICTURE | {"id": "F2", "mimetype": "application/pdf"}))
    assert [file.id for file in found.files] == ["F1"]


def test_an_undeclared_type_may_be_an_image() -> None:
    (file,) = share(body(PICTURE | {"mimetype": "application/octet-stream"})).files
    assert file.may_be_image
    assert not file.claims_to_be_image


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (PICTURE, FileState.READY),
        (connect_stub("F1"), FileState.STUB),
        (processing_stub(PICTURE | {"created": 1, "name": "n", "user": "U1"}), FileState.STUB),
        (tombstone("F1"), FileState.GONE),
        (PICTURE | {"mode": "hidden_by_limit"}, FileState.GONE),
    ],
)
def test_stubs_are_told_from_files(raw: dict[str, Any], state: FileState) -> None:
    file = parse_file(raw)
    assert file is not None
    assert file.state is state


def test_a_command_is_typed() -> None:
    raw = {"team_id": "T1", "channel_id": "C1", "user_id": "U1", "text": "help"}
    request = parse_command(raw)
    assert request is not None
    assert (request.workspace, request.channel, request.user, request.text) == ("T1", "C1", "U1", "help")


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(body(PICTURE)["event"])), json), json, json)
def test_no_payload_raises(event: dict[str, Any], authorizations: Any, team: Any) -> None:
    raw = {"team_id": team, "authorizations": authorizations, "event": body(PICTURE)["event"] | event}
    parse_share(raw)
    parse_command(raw | event)


@given(st.dictionaries(st.sampled_from([*PICTURE, "mode", "file_access"]), json))
def test_no_file_object_raises(changes: dict[str, Any]) -> None:
    parse_file(PICTURE | changes)
