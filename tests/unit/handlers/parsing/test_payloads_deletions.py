"""Parsing of deletions and uninstalls."""

from typing import Any

import pytest

from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads import SlackDeletion, Uninstall, parse_deletion, parse_uninstall
from tests.fixtures.payloads import event, share

T1 = WorkspaceId("T1")
ORGANISATION = {"enterprise_id": "E1", "team_id": None, "is_enterprise_install": True}


def test_file_deletion_is_parsed() -> None:
    assert parse_deletion(event(type="file_deleted", file_id="F1")) == SlackDeletion(T1, "E1", "Ev1", file="F1")


@pytest.mark.parametrize(
    "fields",
    [
        {"subtype": "message_deleted", "deleted_ts": "1.2", "previous_message": {"ts": "1.2"}},
        {"subtype": "message_deleted", "previous_message": {"ts": "1.2"}},
        {"subtype": "message_changed", "message": {"subtype": "tombstone", "ts": "1.2"}},
        {"subtype": "message_changed", "message": {"subtype": "tombstone"}, "previous_message": {"ts": "1.2"}},
    ],
)
def test_message_deletion_is_parsed_with_and_without_replies(fields: dict[str, Any]) -> None:
    found = parse_deletion(event(type="message", channel="C1", ts="1.9", hidden=True, **fields))
    assert found == SlackDeletion(T1, "E1", "Ev1", channel="C1", message="1.2")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        share(),
        event(type="file_deleted"),
        event(type="file_deleted", file_id="F1") | {"team_id": None, "authorizations": None},
        event(type="message", subtype="message_deleted", channel="C1"),
        event(type="message", subtype="message_deleted", deleted_ts="1.2"),
        event(type="message", subtype="message_changed", channel="C1", message={"ts": "1.2"}),
        event(type="message", subtype="message_changed", channel="C1", previous_message={"subtype": "tombstone"}),
    ],
)
def test_other_events_are_not_deletions(payload: dict[str, Any]) -> None:
    assert parse_deletion(payload) is None


@pytest.mark.parametrize(
    "payload", [event(type="app_uninstalled"), event(type="tokens_revoked", tokens={"oauth": [], "bot": ["U0BOT"]})]
)
def test_uninstall_from_a_workspace_is_parsed(payload: dict[str, Any]) -> None:
    assert parse_uninstall(payload) == Uninstall(T1, "E1", "Ev1", (T1,))
    outside = {"authorizations": None, "enterprise_id": None}
    assert parse_uninstall(payload | outside) == Uninstall(T1, "", "Ev1", (T1,))


@pytest.mark.parametrize(
    "around",
    [
        {"authorizations": [ORGANISATION]},
        {"authorizations": [ORGANISATION], "team_id": None},
        {"authorizations": [], "team_id": None},
        {"authorizations": [], "team_id": "E1"},
    ],
)
def test_uninstall_from_an_organisation_is_parsed(around: dict[str, Any]) -> None:
    found = parse_uninstall(event(type="app_uninstalled") | around)
    assert found == Uninstall(WorkspaceId(""), "E1", "Ev1", ())


def test_uninstall_from_some_workspaces_of_an_organisation_is_parsed() -> None:
    gone = (WorkspaceId("T7"), WorkspaceId("T8"))
    around = {"authorizations": [ORGANISATION], "team_id": None}
    named = ["T7", "T8", "T7"]
    flat = event(type="team_access_revoked", team_ids=named) | around
    nested = event(type="team_access_revoked", event={"team_ids": named}) | around
    assert parse_uninstall(flat) == parse_uninstall(nested) == Uninstall(gone[0], "E1", "Ev1", gone)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        share(),
        event(type="tokens_revoked", tokens={"oauth": ["U1"]}),
        event(type="tokens_revoked", tokens={"oauth": ["U1"], "bot": []}),
        event(type="tokens_revoked"),
        event(type="team_access_revoked", team_ids=[]),
        event(type="app_uninstalled") | {"team_id": None, "enterprise_id": None, "authorizations": None},
    ],
)
def test_other_events_are_not_uninstalls(payload: dict[str, Any]) -> None:
    assert parse_uninstall(payload) is None
