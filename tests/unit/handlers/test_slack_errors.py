"""Classification of Slack's errors: retry later, report elsewhere, or drop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError, SlackClientNotConnectedError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.errors import BotError, RetryLater
from handlers.slack_errors import (
    CannotPost,
    TargetGone,
    cannot_post,
    code_of,
    is_outcome_unknown,
    retry_later,
    translate_errors,
)

PAGE = "<html>Service Unavailable</html>"


def slack_error(data: Any, status: int = 200, **headers: str) -> SlackApiError:
    """Return the error that the SDK raises."""
    response = AsyncSlackResponse(
        client=AsyncWebClient(),
        http_verb="POST",
        api_url="https://slack.com/api/chat.postMessage",
        req_args={},
        data=data,
        headers=headers,
        status_code=status,
    )
    return slack_error_of(response)


def slack_error_of(response: object) -> SlackApiError:
    error: SlackApiError = SlackApiError("refused", response)  # type: ignore[no-untyped-call]
    return error


def translated(error: Exception) -> BotError:
    with pytest.raises(BotError) as raised, translate_errors("C1"):
        raise error
    return raised.value


def test_code_is_slacks_error_or_the_http_status() -> None:
    assert code_of(slack_error({"ok": False, "error": "not_in_channel"})) == "not_in_channel"
    assert code_of(slack_error(PAGE, 503)) == "503"
    assert code_of(slack_error({"ok": False}, 500)) == "500"
    assert code_of(slack_error_of({"error": "plain"})) == "plain"
    assert code_of(slack_error_of(None)) == "200"


class Unreadable:
    """Like aiohttp's response, which the SDK attaches if it can't parse a response."""

    status = 502
    headers: Mapping[str, str] = {"Retry-After": "7"}


def test_unparsable_response_is_retried() -> None:
    error = slack_error_of(Unreadable())
    assert code_of(error) == "502"
    later = translated(error)
    assert isinstance(later, RetryLater)
    assert later.after_s == 7
    assert is_outcome_unknown(error)
    assert not is_outcome_unknown(slack_error({"ok": False, "error": "not_in_channel"}))
    assert not is_outcome_unknown(slack_error({"ok": False, "error": "ratelimited"}, 429))
    assert not is_outcome_unknown(slack_error(PAGE, 429))
    assert is_outcome_unknown(slack_error(PAGE, 503))


@pytest.mark.parametrize("code", ["ratelimited", "internal_error", "fatal_error", "service_unavailable"])
def test_busy_slack_raises_retry_later(code: str) -> None:
    assert isinstance(translated(slack_error({"ok": False, "error": code})), RetryLater)


@pytest.mark.parametrize(("data", "status"), [(PAGE, 500), (PAGE, 503), ({"ok": False}, 502), (PAGE, 429)])
def test_response_without_an_error_code_is_retried(data: object, status: int) -> None:
    assert isinstance(translated(slack_error(data, status)), RetryLater)


@pytest.mark.parametrize(
    ("header", "after_s"), [("30", 30.0), ("0", 0.0), ("soon", 0.0), ("-5", 0.0), ("", 0.0), ("٣", 3.0)]
)
def test_retry_after_is_honoured(header: str, after_s: float) -> None:
    error = translated(slack_error({"ok": False, "error": "ratelimited"}, 429, **{"Retry-After": header}))
    assert isinstance(error, RetryLater)
    assert error.after_s == after_s
    later = retry_later(slack_error({"ok": False, "error": "ratelimited"}, 429))
    assert later is not None
    assert later.after_s == 0


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientConnectionError("reset"),
        TimeoutError(),
        ConnectionResetError(),
        SlackClientNotConnectedError("closed"),
    ],
)
def test_network_error_is_retried(error: Exception) -> None:
    assert isinstance(translated(error), RetryLater)


@pytest.mark.parametrize(
    "code",
    ["not_in_channel", "channel_not_found", "is_archived", "restricted_action", "missing_scope"],
)
def test_permission_errors_become_cannot_post(code: str) -> None:
    error = translated(slack_error({"ok": False, "error": code}))
    assert isinstance(error, CannotPost)
    assert error.channel == "C1"
    assert error.reason in str(error)
    # The sentence may be shown anywhere, so it must not contain the channel's id.
    assert "C1" not in str(error)


@pytest.mark.parametrize("code", ["thread_not_found", "message_not_found", "token_revoked", "account_inactive"])
def test_missing_targets_raise_target_gone(code: str) -> None:
    error = slack_error({"ok": False, "error": code})
    assert isinstance(translated(error), TargetGone)
    assert retry_later(error) is None
    assert cannot_post(error, "C1") is None


def test_unknown_error_code_is_retried() -> None:
    error = translated(slack_error({"ok": False, "error": "something_new"}))
    assert isinstance(error, RetryLater)
    assert "something_new" in str(error)


def test_our_own_errors_pass_unchanged() -> None:
    error = RetryLater("later", 5)
    assert translated(error) is error
    with translate_errors("C1"):
        pass
