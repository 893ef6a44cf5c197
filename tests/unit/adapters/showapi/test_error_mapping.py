"""Error mapping: which error a failed response means, and whether the call may have been done."""

from __future__ import annotations

from typing import Any

import pytest

from bot.adapters.showapi.http import responses
from bot.adapters.showapi.http.error_codes import RetryRule
from bot.adapters.showapi.http.error_mapping import FailureFactory
from bot.adapters.showapi.http.responses import FailedResponse
from bot.domain.errors import (
    BackendCannotFetch,
    BackendCredentials,
    BackendDown,
    BackendGarbled,
    BackendLost,
    BackendQuota,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    BotError,
    PictureRefused,
)
from tests.unit.adapters.showapi.responses import good, plain, upstream, wrapped

NO_DATABASE = "The database parts does not exist."


def refusal(answer: Any) -> FailedResponse:
    read = responses.parse_response(answer.status_code, answer.content)
    assert isinstance(read, FailedResponse)
    return read


def mapped(answer: Any) -> tuple[type[BotError], bool]:
    meaning = refusal(answer).mapping
    return meaning.error_class, meaning.may_have_been_done


@pytest.mark.parametrize(
    ("code", "kind", "doubtful"),
    [
        (-1, BackendRefused, True),
        (-2, BackendQuota, False),
        (-3, BackendTimeout, True),
        (-4, BackendGarbled, True),
        (-5, BackendDown, False),
        (-6, BackendDown, False),
        (-1000, BackendDown, False),
        (-1002, BackendCredentials, False),
        (-1004, BackendCredentials, False),
        (-1006, BackendCredentials, False),
        (-1007, BackendQuota, False),
        (-1009, BackendThrottled, False),
        (-1010, BackendCredentials, False),
        (-1013, BackendCredentials, False),
        (-77, BackendRefused, True),
        (3, BackendRefused, True),
    ],
)
def test_gateway_codes_are_mapped(code: int, kind: type[BotError], doubtful: bool) -> None:
    assert mapped(wrapped({}, code, "系统错误")) == (kind, doubtful)
    assert mapped(wrapped({}, str(code))) == (kind, doubtful)


UPSTREAM = [
    ("Throttling", 400, BackendThrottled, False),
    ("Throttling.User", 503, BackendThrottled, False),
    ("ClientError.IllegalArgument", 400, BackendRefused, False),
    ("IllegalUrlParameter", 400, BackendCannotFetch, False),
    ("InvalidFile.Resolution", 400, PictureRefused, False),
    ("InvalidImage.Content", 400, PictureRefused, False),
    ("AuthFailed", 403, BackendCredentials, False),
    ("EntityNotExist.Role", 403, BackendCredentials, False),
    ("InvalidAccessKeyId.NotFound", 400, BackendCredentials, False),
    ("InvalidApi.NotPurchase", 403, BackendQuota, False),
    ("InternalError.Timeout", 500, BackendTimeout, True),
    ("InternalError.Algo", 586, BackendDown, True),
    ("InternalError", 500, BackendDown, True),
    ("ServiceUnavailable", 503, BackendDown, True),
]


@pytest.mark.parametrize(("code", "status", "kind", "doubtful"), UPSTREAM)
def test_error_names_of_the_search_are_found_in_every_field(
    code: str, status: int, kind: type[BotError], doubtful: bool
) -> None:
    text = f"{code} - something"
    for answer in (
        upstream(code, status),
        upstream(code, 200),
        wrapped({"ret_code": code}),
        wrapped({"ret_code": -1, "remark": text}),
        wrapped({"ret_code": 500, "remark": text}),
        wrapped({"ret_code": 0, "Code": code}),
        wrapped({"ret_code": 400, "Code": code, "Message": "oh"}),
        wrapped({}, 0, text),
        wrapped({}, -1, text),
        wrapped({}, -4, text),
    ):
        assert mapped(answer) == (kind, doubtful), answer.text
        assert refusal(answer).code == code


@pytest.mark.parametrize(
    "text", [NO_DATABASE, "There is no database “parts” here.", "db parts not found", "数据库 parts 不存在"]
)
def test_missing_database_is_recognised_by_its_text(text: str) -> None:
    assert mapped(upstream("ClientError.IllegalArgument", 400, text)) == (BackendLost, False)
    assert mapped(wrapped({"ret_code": -1, "remark": f"ClientError.IllegalArgument: {text}"})) == (BackendLost, False)
    assert mapped(upstream("InternalError.Timeout", 500, text))[0] is BackendTimeout


@pytest.mark.parametrize(
    ("status", "kind", "doubtful"),
    [
        (302, BackendGarbled, True),
        (400, BackendRefused, False),
        (401, BackendCredentials, False),
        (402, BackendQuota, False),
        (403, BackendCredentials, False),
        (404, BackendRefused, False),
        (408, BackendTimeout, True),
        (429, BackendThrottled, False),
        (500, BackendDown, True),
        (502, BackendDown, True),
        (504, BackendTimeout, True),
        (580, BackendDown, True),
        (585, BackendDown, True),
        (586, BackendDown, True),
        (591, BackendDown, True),
        (599, BackendDown, True),
    ],
)
def test_status_is_mapped_without_a_code(status: int, kind: type[BotError], doubtful: bool) -> None:
    for content in (b"", b"<html>nginx</html>", b"{}", good().content):
        assert mapped(plain(content, status)) == (kind, doubtful)
    if 400 <= status < 600:
        assert mapped(wrapped({"ret_code": status, "remark": "?"})) == (kind, doubtful)


def test_unreadable_responses_may_have_been_done() -> None:
    for content in (
        b"",
        b" ",
        b"<html></html>",
        b"{}",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"showapi_res_code":0',
        b"[" * 99999,
    ):
        assert mapped(plain(content)) == (BackendGarbled, True), content[:20]
    for answer in (
        wrapped({}),
        wrapped(None),
        wrapped([]),
        wrapped("text"),
        wrapped({"ret_code": None}),
        wrapped({}, None),
    ):
        assert mapped(answer) == (BackendGarbled, True), answer.text
    assert mapped(wrapped({"ret_code": -1, "remark": "失败"})) == (BackendRefused, True)
    assert mapped(wrapped({"ret_code": "oh", "remark": "失败"})) == (BackendRefused, True)


def test_retry_rules() -> None:
    assert refusal(upstream("InternalError.Algo", 586)).mapping.retry is RetryRule.NEVER
    assert refusal(plain(b"", 586)).mapping.retry is RetryRule.NEVER
    assert refusal(upstream("Throttling")).mapping.retry is RetryRule.ALWAYS
    assert refusal(plain(b"", 591)).mapping.retry is RetryRule.IF_IDEMPOTENT
    assert refusal(plain(b"")).mapping.retry is RetryRule.NEVER


def test_failure_description_has_code_text_and_ids() -> None:
    told = (
        FailureFactory(("a-key",))
        .refused("search", refusal(upstream("Throttling", 400, "too\nmany a-key")))
        .description
    )
    assert told == "search: Throttling: too many [redacted] (HTTP 400, request 7463B73D)"
    answer = wrapped({"ret_code": -1, "remark": "失败", "RequestId": "R"})
    assert (
        FailureFactory(()).refused("add", refusal(answer)).description
        == "add: ret_code -1: 失败 (HTTP 200, request R, res-1)"
    )
    assert FailureFactory(()).refused("add", refusal(wrapped({}, -2))).description == (
        "add: -2 (no calls or no balance left) (HTTP 200, request res-1)"
    )


def test_key_is_redacted_before_the_text_is_cut() -> None:
    answer = wrapped({}, -1, "x" * 190 + " a-very-long-key-indeed-4f9c1d7e")
    told = FailureFactory(("a-very-long-key-indeed-4f9c1d7e",)).refused("add", refusal(answer)).description
    assert "a-very" not in told
