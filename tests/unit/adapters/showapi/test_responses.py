"""Parsing responses of the hosted service: any response gives a value or one of our errors."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.adapters.showapi.http import responses
from bot.adapters.showapi.http.error_mapping import FailureFactory
from bot.adapters.showapi.http.responses import FailedResponse, Json, SuccessResponse, UnexpectedResponse
from bot.domain.errors import (
    BackendError,
    PictureRefused,
)
from tests.unit.adapters.showapi.responses import good, wrapped


@pytest.mark.parametrize("code", [0, "0", 0.0, " 0 "])
@pytest.mark.parametrize("result", [0, "0", 0.0])
def test_both_codes_may_be_numbers_or_strings(code: object, result: object) -> None:
    answer = wrapped({"ret_code": result}, code)
    assert responses.parse_response(200, answer.content) == SuccessResponse({"ret_code": result}, charged=1)


def test_charge_is_read_from_the_top_or_the_body_and_capped() -> None:
    assert _charged(wrapped({"ret_code": 0})) == 1
    assert _charged(wrapped({"ret_code": 0, "showapi_fee_num": "3"}, showapi_fee_num=None)) == 3
    assert _charged(wrapped({"ret_code": 0}, showapi_fee_num=None)) == 0
    assert _charged(wrapped({"ret_code": 0}, showapi_fee_num=-5)) == 0
    assert _charged(wrapped({"ret_code": 0}, showapi_fee_num=10**30)) == responses.MAX_CHARGED


def _charged(answer: Any) -> int:
    read = responses.parse_response(200, answer.content)
    assert isinstance(read, SuccessResponse)
    return read.charged


def test_remark_is_ignored_with_two_success_codes() -> None:
    assert isinstance(responses.parse_response(200, good(remark="no more Throttling").content), SuccessResponse)
    assert isinstance(responses.parse_response(200, good(Code="200").content), SuccessResponse)


def test_database_names_are_parsed() -> None:
    assert responses.parse_database_names({"Data": {"DbList": [{"Name": "a"}, {}, "b", {"Name": 7}, None]}}) == (
        "a",
        "7",
    )
    nothings: tuple[object, ...] = ([], None)
    for nothing in nothings:
        assert responses.parse_database_names({"Data": {"DbList": nothing}}) == ()
    bodies: list[Json] = [{}, {"Data": None}, {"Data": {}}, {"Data": {"DbList": "none"}}]
    for body in bodies:
        with pytest.raises(UnexpectedResponse):
            responses.parse_database_names(body)


def test_data_id_of_an_added_image_is_parsed() -> None:
    assert responses.parse_data_id({"Data": {"DataId": 1585903814940000}}) == "1585903814940000"
    names: tuple[object, ...] = ("", "\ud800", True, None, [], 1.5)
    bodies: list[Json] = [{}, {"Data": {}}, *({"Data": {"DataId": name}} for name in names)]
    for body in bodies:
        with pytest.raises(UnexpectedResponse):
            responses.parse_data_id(body)


def test_rows_have_times_and_rows_without_an_entity_are_left_out() -> None:
    row = {"EntityId": "e", "DataId": "1", "ExtraData": "x", "CreatedAt": 1585903814940, "UpdatedAt": "1585903814940"}
    read = responses.parse_rows({"Data": {"TotalCount": "9", "ImageList": [row, {}, 3], "Token": "t"}})
    when = datetime(2020, 4, 3, 8, 50, 14, 940000, UTC)
    assert (read.row_count, read.page.total, read.page.token) == (3, 9, "t")
    (only,) = read.page.rows
    assert (only.entity, only.data_id, only.extra, only.created_at, only.updated_at) == ("e", "1", "x", when, when)
    strange = responses.parse_rows(
        {"Data": {"ImageList": [{"EntityId": "e", "CreatedAt": 1e300, "UpdatedAt": "NaN"}]}}
    ).page
    assert (strange.total, strange.rows[0].created_at, strange.rows[0].updated_at) == (1, None, None)
    assert responses.parse_rows({"Data": {"TotalCount": 0}}).page.rows == ()
    with pytest.raises(UnexpectedResponse):
        responses.parse_rows({"Data": {"TotalCount": 3}})


def test_matches_keep_their_order_and_unreadable_ones_are_counted() -> None:
    scores = [1, "9.8", 10.000001, -0.001, 10.5, -1, "NaN", None, True, "high", 10**400, [], float("inf")]
    found, unread = responses.parse_matches(
        {"Data": {"MatchList": [{"EntityId": "e", "Score": score} for score in scores]}}
    )
    assert [match.score for match in found] == [1.0, 9.8, 10.0, 0.0]
    assert unread == 9
    nothings: tuple[object, ...] = ([], None)
    for nothing in nothings:
        assert responses.parse_matches({"Data": {"MatchList": nothing}}) == ((), 0)
    # Only unreadable matches is an error, unlike no matches.
    for data in ({}, {"MatchList": [{"Score": 1}, None]}):
        with pytest.raises(UnexpectedResponse):
            responses.parse_matches({"Data": data})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("ClientError.IllegalArgument"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
_SCALARS = _JSON | st.sampled_from([0, "0", -1, "-1009", 1.5, 10**400, "\ud800", 400, "9" * 30])


def _object(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_ITEMS = st.lists(
    _JSON | _object(**dict.fromkeys(("EntityId", "DataId", "Score", "CreatedAt", "UpdatedAt", "Name"), _SCALARS)),
    max_size=3,
)
_DATA = _JSON | _object(
    DbList=_ITEMS, ImageList=_ITEMS, MatchList=_ITEMS, Token=_SCALARS, TotalCount=_SCALARS, DataId=_SCALARS
)
_BODY = _JSON | _object(ret_code=_SCALARS, remark=_SCALARS, Code=_SCALARS, RequestId=_SCALARS, Data=_DATA)
_OUTER = _object(
    showapi_res_code=_SCALARS,
    showapi_res_error=_SCALARS,
    showapi_fee_num=_SCALARS,
    Code=_SCALARS,
    showapi_res_body=_BODY,
)


def _assert_value_or_our_error(status: int, content: bytes) -> None:
    read = responses.parse_response(status, content)
    if isinstance(read, FailedResponse):
        trouble = FailureFactory(("some-key",)).refused("search", read)
        assert isinstance(trouble.error, BackendError | PictureRefused)
        assert trouble.description.isprintable()
        trouble.description.encode()
        return
    assert 200 <= status < 300
    for reader in (
        responses.parse_database_names,
        responses.parse_data_id,
        responses.parse_rows,
        responses.parse_matches,
    ):
        with contextlib.suppress(UnexpectedResponse):
            reader(read.body)


@given(st.integers(200, 999), _OUTER.map(json.dumps).map(str.encode) | st.binary())
@example(200, b'{"showapi_res_code":' + b"9" * 5000 + b"}")
@example(200, b'{"showapi_res_code":0,"showapi_res_body":' + b"[" * 100_000)
@example(200, '{"showapi_res_code":-1,"showapi_res_error":"\u202e\ud7fc"}'.encode())
@example(200, '{"showapi_res_code":0}'.encode("utf-16"))
def test_any_response_gives_a_value_or_our_error(status: int, content: bytes) -> None:
    _assert_value_or_our_error(status, content)


@given(_DATA)
def test_any_data_gives_a_value_or_unexpected_response(data: Any) -> None:
    content = json.dumps({"showapi_res_code": 0, "showapi_res_body": {"ret_code": 0, "Data": data}}).encode()
    assert isinstance(responses.parse_response(200, content), SuccessResponse)
    _assert_value_or_our_error(200, content)
