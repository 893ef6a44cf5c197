"""Stored payloads round-trip."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import ChannelKind
from bot.domain.identifiers import WorkspaceId
from handlers.parsing.payloads import (
    FileState,
    ImageShare,
    SharedFile,
    SlackDeletion,
    Uninstall,
    decode_deletion,
    decode_share,
    decode_uninstall,
    encode_deletion,
    encode_share,
    encode_uninstall,
    parse_share,
)
from tests.fixtures.payloads import anything, assert_well_typed, share

carried = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
some, perhaps = st.text(carried, min_size=1, max_size=12), st.text(carried, max_size=12)
workspace = some.map(WorkspaceId)
files = st.builds(
    SharedFile,
    some,
    st.sampled_from(FileState),
    size=st.integers(0, 2**52),
    renditions=st.lists(st.text(carried)).map(tuple),
)
shares = st.builds(
    ImageShare,
    workspace,
    perhaps,
    thread_ts=perhaps,
    event_id=perhaps,
    text=perhaps,
    kind=st.sampled_from(ChannelKind),
    channel=some,
    user=some,
    user_workspace=perhaps.map(WorkspaceId),
    ts=some,
    files=st.lists(files, min_size=1, max_size=3).map(tuple),
)
deletions = st.builds(SlackDeletion, workspace, perhaps, perhaps, file=some) | st.builds(
    SlackDeletion, workspace, perhaps, perhaps, channel=some, message=some
)
several = st.lists(workspace, min_size=1, unique=True).map(tuple)
uninstalls = st.builds(Uninstall, workspace, perhaps, perhaps, several) | st.builds(
    Uninstall, st.just(WorkspaceId("")), some, perhaps, st.just(())
)


@given(shares)
def test_share_round_trips(stored: ImageShare) -> None:
    text = encode_share(stored)
    assert text.isascii()
    assert decode_share(text) == stored


@given(deletions)
def test_deletion_round_trips(stored: SlackDeletion) -> None:
    assert decode_deletion(encode_deletion(stored)) == stored


@given(uninstalls)
def test_uninstall_round_trips(stored: Uninstall) -> None:
    assert decode_uninstall(encode_uninstall(stored)) == stored


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "{}", "3", "[" * 100_000, '{"files": [{}]}', '"\\ud800"'])
def test_unknown_payloads_decode_to_none(text: str) -> None:
    assert decode_share(text) is None
    assert decode_deletion(text) is None
    assert decode_uninstall(text) is None


def test_enterprise_id_alone_does_not_mean_organisation_wide() -> None:
    assert decode_uninstall('{"enterprise": "E1"}') is None
    assert decode_uninstall('{"enterprise": "E1", "workspaces": [3]}') is None


def test_share_stored_by_an_older_version_is_decoded() -> None:
    parsed = parse_share(share())
    assert parsed is not None
    given = json.loads(encode_share(parsed))
    for later in ("enterprise", "text", "mentioned", "kind"):
        del given[later]
    found = decode_share(json.dumps(given | {"unheard_of": 1}))
    assert found is not None
    assert found.files == parsed.files
    assert found.kind is ChannelKind.PRIVATE


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(ImageShare.__slots__, anything)), some, anything)
def test_stored_values_decode_to_well_typed_values_or_none(
    corrupted: dict[str, object], identifier: str, file: object
) -> None:
    whole = {"workspace": "T1", "channel": "C1", "user": "U1", "ts": "1.2", "message": "1.2", "workspaces": ["T1"]}
    stored = {"files": [{"id": identifier, "state": "ready"}, file]} | whole | corrupted
    text = json.dumps(stored)
    if (found := decode_share(text)) is not None:
        assert_well_typed(found, ImageShare)
    if (deletion := decode_deletion(text)) is not None:
        assert_well_typed(deletion, SlackDeletion)
    if (uninstall := decode_uninstall(text)) is not None:
        assert_well_typed(uninstall, Uninstall)
