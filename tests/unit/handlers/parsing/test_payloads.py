"""Parsing of shares, mentions, the Home tab and commands."""

from typing import Any

import pytest

from bot.domain.channels import ChannelKind
from handlers.parsing.payloads import (
    FileState,
    ImageShare,
    Mention,
    parse_command,
    parse_file,
    parse_home,
    parse_mention,
    parse_share,
)
from tests.fakes.slack.files import connect_stub, processing_stub, tombstone
from tests.fixtures.payloads import PICTURE, command, event, mention, share


def parse_valid_share(payload: dict[str, Any], bot_user: str = "") -> ImageShare:
    parsed = parse_share(payload, bot_user)
    assert parsed is not None
    return parsed


def parse_valid_mention(payload: dict[str, Any]) -> Mention:
    parsed = parse_mention(payload)
    assert parsed is not None
    return parsed


def test_share_is_parsed() -> None:
    found = parse_valid_share(share())
    assert (found.workspace, found.enterprise, found.channel, found.user) == ("T1", "E1", "C1", "U1")
    assert (found.ts, found.thread_ts, found.event_id, found.text) == ("1.2", "", "Ev1", "what is this?")
    (file,) = found.files
    assert (file.id, file.name, file.state, file.size) == ("F1", "Valve", FileState.READY, 10)
    assert [url.rpartition("_")[2] for url in file.renditions] == ["1024.png", "720.png"]


def test_answer_belongs_in_the_thread_of_the_image() -> None:
    assert parse_valid_share(share()).reply_to == "1.2"
    assert parse_valid_share(share(thread_ts="0.1")).reply_to == "0.1"
    assert parse_valid_mention(mention(thread_ts="0.1")).reply_to == "0.1"


def test_workspace_is_parsed_from_the_authorisation() -> None:
    foreign = share() | {"team_id": "T_OTHER", "enterprise_id": "E_OTHER"}
    ours = {"team_id": "T1", "enterprise_id": None, "user_id": "U0BOT"}
    found = parse_valid_share(foreign | {"authorizations": [ours]})
    assert (found.workspace, found.enterprise) == ("T1", "")


def test_workspace_is_parsed_from_the_body_for_an_app_of_an_organisation() -> None:
    ours = {"team_id": None, "enterprise_id": "E1", "is_enterprise_install": True}
    assert parse_valid_share(share() | {"authorizations": [ours]}).workspace == "T1"
    assert parse_valid_share(share() | {"authorizations": [ours], "context_team_id": "T2"}).workspace == "T2"


@pytest.mark.parametrize(
    ("channel", "channel_type", "kind"),
    [
        ("C1", "channel", ChannelKind.PUBLIC),
        ("C1", "group", ChannelKind.PRIVATE),
        ("C1", "mpim", ChannelKind.DIRECT),
        ("D1", "im", ChannelKind.DIRECT),
        ("D1", "app_home", ChannelKind.DIRECT),
        ("C1", None, ChannelKind.PUBLIC),
        ("G1", None, ChannelKind.PRIVATE),
        ("D1", None, ChannelKind.DIRECT),
        ("X1", "unheard_of", ChannelKind.PRIVATE),
    ],
)
def test_channel_kind_is_parsed_from_type_or_first_letter(
    channel: str, channel_type: str | None, kind: ChannelKind
) -> None:
    assert parse_valid_share(share(channel=channel, channel_type=channel_type)).kind is kind
    assert parse_valid_mention(mention(channel=channel, channel_type=channel_type)).kind is kind


def test_externally_shared_channel_is_shared_whatever_its_type() -> None:
    assert parse_valid_share(share() | {"is_ext_shared_channel": True}).kind is ChannelKind.SHARED
    assert parse_valid_mention(mention() | {"is_ext_shared_channel": True}).kind is ChannelKind.SHARED


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_messages_with_files_are_shares(subtype: str) -> None:
    assert not parse_valid_share(share(subtype=subtype)).mentioned


def test_mention_with_an_image_is_a_share() -> None:
    payload = share(type="app_mention", subtype=None, text="<@U0BOT> look")
    assert parse_valid_share(payload).mentioned
    assert parse_mention(payload) is None


@pytest.mark.parametrize("text", ["look <@U0BOT>", "<@U0BOT|vsearch> look", "<@U0LOCAL>"])
def test_message_with_a_mention_is_marked_as_mentioned(text: str) -> None:
    assert parse_valid_share(share(text=text), "U0LOCAL").mentioned


@pytest.mark.parametrize("text", ["look", "<@U2>", "<@U0BOTTOM>", "U0BOT"])
def test_other_messages_are_not_marked_as_mentioned(text: str) -> None:
    assert not parse_valid_share(share(text=text), "U0LOCAL").mentioned


def test_message_without_a_subtype_may_be_a_share() -> None:
    assert parse_valid_share(share(subtype=None), "U0LOCAL").files


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"event": None},
        share(None),
        share(subtype="message_changed"),
        share(subtype="bot_message"),
        share(subtype=["file_share"]),
        share(type="file_shared"),
        share(bot_id="B1"),
        share(bot_profile={"id": "B1"}),
        share(hidden=True),
        share(edited={"user": "U1", "ts": "1.3"}),
        share(user=None),
        share(user="U0BOT"),
        share(user="U0LOCAL"),
        share(user="USLACKBOT"),
        share(type="app_mention", subtype=None, bot_id="B1"),
        share(files="F1"),
        share(None, 3, {}),
        share(PICTURE | {"mimetype": "application/pdf"}),
        share(PICTURE | {"mimetype": "text/plain"}),
        share(subtype="thread_broadcast", files=[]),
        share() | {"team_id": None, "authorizations": []},
    ],
)
def test_other_events_are_not_shares(payload: dict[str, Any]) -> None:
    assert parse_share(payload, "U0LOCAL") is None


def test_owner_of_a_user_token_is_not_the_bot() -> None:
    theirs = {"team_id": "T1", "user_id": "U1", "is_bot": False}
    assert parse_valid_share(share() | {"authorizations": [theirs]}).user == "U1"


def test_share_leaves_out_files_that_are_not_images() -> None:
    found = parse_valid_share(share(PICTURE, PICTURE | {"id": "F2", "mimetype": "application/pdf"}, PICTURE))
    assert [file.id for file in found.files] == ["F1"]


def test_undeclared_type_may_be_an_image() -> None:
    (file,) = parse_valid_share(share(PICTURE | {"mimetype": "application/octet-stream"})).files
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
def test_state_of_a_file_is_parsed(raw: dict[str, Any], state: FileState) -> None:
    file = parse_file(raw)
    assert file is not None
    assert file.state is state


@pytest.mark.parametrize("size", [True, -1, 1.5, "10", 10**400, None])
def test_invalid_size_is_unknown(size: object) -> None:
    file = parse_file(PICTURE | {"size": size})
    assert file is not None
    assert file.size == 0


def test_mention_is_parsed() -> None:
    found = parse_valid_mention(mention())
    assert (found.workspace, found.enterprise, found.channel, found.user) == ("T1", "E1", "C1", "U1")
    assert (found.ts, found.text, found.event_id) == ("1.2", "<@U0BOT> status", "Ev1")


def test_mention_with_other_files_is_still_a_mention() -> None:
    payload = mention(files=[PICTURE | {"mimetype": "application/pdf"}])
    assert parse_share(payload) is None
    assert parse_valid_mention(payload).user == "U1"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        share(),
        mention(bot_id="B1"),
        mention(user="U0BOT"),
        mention(edited={"ts": "1.3"}),
        mention(channel=None),
        mention(type="message"),
    ],
)
def test_other_events_are_not_mentions(payload: dict[str, Any]) -> None:
    assert parse_mention(payload) is None


@pytest.mark.parametrize("tab", ["home", None])
def test_opened_home_tab_is_parsed(tab: str | None) -> None:
    found = parse_home(event(type="app_home_opened", user="U1", tab=tab))
    assert found is not None
    assert (found.workspace, found.enterprise, found.user, found.event_id) == ("T1", "E1", "U1", "Ev1")


def test_messages_tab_is_not_the_home_tab() -> None:
    assert parse_home(event(type="app_home_opened", user="U1", tab="messages")) is None


def test_command_is_parsed() -> None:
    request = parse_command(command())
    assert request is not None
    assert (request.workspace, request.enterprise, request.channel, request.user) == ("T1", "E1", "C1", "U1")
    assert (request.text, request.trigger_id) == ("help", "1.2.3")
    assert request.response_url == "https://hooks.slack.com/commands/1"


@pytest.mark.parametrize(
    ("channel", "name", "kind"),
    [
        ("C1", "parts", ChannelKind.PUBLIC),
        ("C1", "privategroup", ChannelKind.PRIVATE),
        ("G1", "parts", ChannelKind.PRIVATE),
        ("D1", "directmessage", ChannelKind.DIRECT),
        ("D1", "", ChannelKind.DIRECT),
        ("C1", "mpdm-ann--bob-1", ChannelKind.DIRECT),
        ("G1", "mpdm-ann--bob-1", ChannelKind.DIRECT),
    ],
)
def test_channel_kind_of_a_command_is_parsed(channel: str, name: str, kind: ChannelKind) -> None:
    request = parse_command(command(channel_id=channel, channel_name=name))
    assert request is not None
    assert request.kind is kind


@pytest.mark.parametrize("absent", ["team_id", "channel_id", "user_id"])
def test_command_without_origin_is_none(absent: str) -> None:
    assert parse_command(command(**{absent: ""})) is None
