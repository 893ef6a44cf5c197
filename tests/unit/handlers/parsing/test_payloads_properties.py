"""Property tests: parsers never raise, and return well-typed values."""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from handlers.parsing.payloads import (
    CommandRequest,
    HomeOpened,
    ImageShare,
    Mention,
    SharedFile,
    SlackDeletion,
    Uninstall,
    decode_deletion,
    decode_share,
    decode_uninstall,
    encode_deletion,
    encode_share,
    encode_uninstall,
    parse_command,
    parse_deletion,
    parse_file,
    parse_home,
    parse_mention,
    parse_share,
    parse_uninstall,
)
from tests.fixtures.payloads import (
    EVENTS,
    INTERACTIONS,
    PICTURE,
    anything,
    assert_well_typed,
    command,
    corrupted,
    share,
)
from tests.fixtures.shown_pictures import FORWARD, forwarding

PARSERS: dict[Any, Callable[[Mapping[str, Any]], object]] = {
    ImageShare: parse_share,
    Mention: parse_mention,
    HomeOpened: parse_home,
    SlackDeletion: parse_deletion,
    Uninstall: parse_uninstall,
    CommandRequest: parse_command,
}

ALL_EVENTS = (*EVENTS, forwarding(FORWARD), forwarding(FORWARD, channel="D1", channel_type="im"))


def check(body: Mapping[str, Any]) -> None:
    for kind, parse in PARSERS.items():
        if (found := parse(body)) is not None:
            assert_well_typed(found, kind)


@given(st.dictionaries(st.text(max_size=8), anything))
def test_any_json_does_not_raise(body: dict[str, Any]) -> None:
    check(body)


@given(corrupted((*ALL_EVENTS, command(), *INTERACTIONS)))
@example(share(type=["message"], subtype={}))
def test_corrupted_payloads_do_not_raise(body: dict[str, Any]) -> None:
    check(body)


@given(corrupted(ALL_EVENTS))
def test_event_has_at_most_one_meaning(body: dict[str, Any]) -> None:
    parsers = (parse_share, parse_mention, parse_home, parse_deletion, parse_uninstall)
    assert sum(parse(body) is not None for parse in parsers) <= 1


@given(corrupted(ALL_EVENTS))
def test_parsed_events_can_be_stored(body: dict[str, Any]) -> None:
    if (found := parse_share(body)) is not None:
        assert decode_share(encode_share(found)) == found
    if (deletion := parse_deletion(body)) is not None:
        assert decode_deletion(encode_deletion(deletion)) == deletion
    if (uninstall := parse_uninstall(body)) is not None:
        assert decode_uninstall(encode_uninstall(uninstall)) == uninstall


@given(anything | corrupted((PICTURE,)))
def test_any_file_object_does_not_raise(raw: object) -> None:
    if (file := parse_file(raw)) is not None:
        assert_well_typed(file, SharedFile)
