"""What Slack's refusals mean: later, elsewhere, or never."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError, SlackClientNotConnectedError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import BotError, TryAgain
from handlers.failures import CantSpeak, Gone, cant_speak, code_of, is_unclear, not_now, translated

PAGE = "<html>Service Unavailable</html>"


def refusal(data: Any, status: int = 200, **headers: str) -> SlackApiError:
    """What the SDK raises."""
    response = AsyncSlackResponse(
        client=AsyncWebClient(),
        http_verb="POST",
        api_url="https://slack.com/api/chat.postMessage",
        req_args={},
        data=data,
        headers=headers,
        status_code=status,
    )
    return refused(response)


def refused(response: object) -> SlackApiError:
    error: SlackApiError = SlackApiError("refused", response)  # type: ignore[no-untyped-call]
    return error


def meaning(error: Exception) -> BotError:
    with pytest.raises(BotError) as raised, translated("C1"):
        raise error
    return raised.value


def test_the_code_is_slacks_word_or_the_status_of_a_page() -> None:
    assert code_of(refusal({"ok": False, "error": "not_in_channel"})) == "not_in_channel"
    assert code_of(refusal(PAGE, 503)) == "503"
    assert code_of(refusal({"ok": False}, 500)) == "500"
    assert code_of(refused({"error": "plain"})) == "plain"
    assert code_of(refused(None)) == "200"


class Unreadable:
    """As aiohttp's response, which the SDK hands on when it can't read one."""

    status = 502
    headers: Mapping[str, str] = {"Retry-After": "7"}


def test_an_answer_that_can_t_be_read_is_asked_for_again() -> None:
    error = refused(Unreadable())
    assert code_of(error) == "502"
    later = meaning(error)
    assert isinstance(later, TryAgain)
    assert later.after_s == 7
    assert is_unclear(error)
    assert not is_unclear(refusal({"ok": False, "error": "not_in_channel"}))
    assert not is_unclear(refusal({"ok": False, "error": "ratelimited"}, 429))
    assert not is_unclear(refusal(PAGE, 429))
    assert is_unclear(refusal(PAGE, 503))


@pytest.mark.parametrize("code", ["ratelimited", "internal_error", "fatal_error", "service_unavailable"])
def test_a_busy_slack_is_asked_again(code: str) -> None:
    assert isinstance(meaning(refusal({"ok": False, "error": code})), TryAgain)


@pytest.mark.parametrize(("data", "status"), [(PAGE, 500), (PAGE, 503), ({"ok": False}, 502), (PAGE, 429)])
def test_what_is_no_answer_of_slacks_is_asked_again(data: object, status: int) -> None:
    assert isinstance(meaning(refusal(data, status)), TryAgain)


@pytest.mark.parametrize(
    ("header", "after_s"), [("30", 30.0), ("0", 0.0), ("soon", 0.0), ("-5", 0.0), ("", 0.0), ("٣", 3.0)]
)
def test_the_patience_that_slack_asks_for_is_kept(header: str, after_s: float) -> None:
    error = meaning(refusal({"ok": False, "error": "ratelimited"}, 429, **{"Retry-After": header}))
    assert isinstance(error, TryAgain)
    assert error.after_s == after_s
    later = not_now(refusal({"ok": False, "error": "ratelimited"}, 429))
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
def test_a_network_that_fails_is_tried_again(error: Exception) -> None:
    assert isinstance(meaning(error), TryAgain)


@pytest.mark.parametrize(
    "code",
    ["not_in_channel", "channel_not_found", "is_archived", "restricted_action", "missing_scope"],
)
def test_where_the_bot_may_not_speak_the_person_is_told_why(code: str) -> None:
    error = meaning(refusal({"ok": False, "error": code}))
    assert isinstance(error, CantSpeak)
    assert error.channel == "C1"
    assert error.reason in str(error)
    # A sentence may be shown anywhere: it names no channel by id.
    assert "C1" not in str(error)


@pytest.mark.parametrize("code", ["thread_not_found", "message_not_found", "token_revoked", "account_inactive"])
def test_what_is_gone_is_nobodys_business(code: str) -> None:
    error = refusal({"ok": False, "error": code})
    assert isinstance(meaning(error), Gone)
    assert not_now(error) is None
    assert cant_speak(error, "C1") is None


def test_a_refusal_that_nobody_knows_is_tried_again() -> None:
    error = meaning(refusal({"ok": False, "error": "something_new"}))
    assert isinstance(error, TryAgain)
    assert "something_new" in str(error)


def test_our_own_errors_pass_unchanged() -> None:
    error = TryAgain("later", 5)
    assert meaning(error) is error
    with translated("C1"):
        pass
