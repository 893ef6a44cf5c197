"""Classify Slack's errors: retry later, tell the user, or drop the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.blocks.wording import channels as wording
from bot.domain.errors import BotError, RetryLater, UserError

UNREACHABLE = (aiohttp.ClientError, SlackClientError, TimeoutError, OSError)
"""Errors of a Web API call. SlackApiError is a subclass of SlackClientError."""

_TRANSIENT = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)

_GONE = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "message_not_found",
        "not_authed",
        "team_not_found",
        "thread_not_found",
        "token_expired",
        "token_revoked",
        "user_not_found",
    }
)


CANNOT_UPDATE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Error codes of ``chat.update`` after which only a new message helps."""


class CannotPost(UserError):
    """The bot may not post in the channel. The message is for the user, who gets it elsewhere."""

    def __init__(self, channel: str, reason: str) -> None:
        super().__init__(wording.cannot_post("", reason))
        self.channel = channel
        self.reason = reason


class HistoryRefused(BotError):
    """Slack doesn't let the bot read a channel's history. ``code`` is Slack's."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack refused to show a channel's history ({code})")
        self.code = code


class CursorExpired(BotError):
    """Slack doesn't know the cursor of a page any more."""


class TargetGone(UserError):
    """The message or workspace to answer no longer exists, so nobody is told."""


def code_of(error: SlackApiError) -> str:
    """Return Slack's error code, or the HTTP status of a response that isn't JSON."""
    return _error_code(error) or str(status_of(error))


def problems_of(error: SlackApiError) -> str:
    """Return what Slack says is wrong with the blocks of a refused call; empty if it says nothing."""
    metadata = _data(error).get("response_metadata")
    return "; ".join(map(str, metadata.get("messages") or ())) if isinstance(metadata, dict) else ""


def reason_of(error: Exception) -> str:
    """Return for the log why a call failed: Slack's error code, or the class of another error."""
    return code_of(error) if isinstance(error, SlackApiError) else type(error).__name__


def status_of(error: SlackApiError) -> int:
    """Return the HTTP status of the response, or 200 if it is unknown."""
    # For a response that it can't parse, the SDK attaches aiohttp's response instead of its own.
    response = error.response
    return int(getattr(response, "status_code", None) or getattr(response, "status", None) or HTTPStatus.OK)


def _error_code(error: SlackApiError) -> str:
    return str(_data(error).get("error") or "")


def _data(error: SlackApiError) -> dict[str, Any]:
    data = getattr(error.response, "data", error.response)
    return data if isinstance(data, dict) else {}


def retry_later(error: SlackApiError) -> RetryLater | None:
    """Return a RetryLater with Slack's delay if the error is temporary, or None."""
    status = status_of(error)
    # Without an error code, the response is a proxy's page or incomplete.
    is_temporary = _error_code(error) in {"", *_TRANSIENT}
    if is_temporary or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        headers = {str(name).lower(): value for name, value in (getattr(error.response, "headers", None) or {}).items()}
        after = str(headers.get("retry-after", ""))
        return RetryLater(f"Slack asks to retry later ({code_of(error)})", float(after) if after.isdecimal() else 0.0)
    return None


def is_outcome_unknown(error: SlackApiError) -> bool:
    """Return whether the call may have taken effect despite the error."""
    status = status_of(error)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return False
    return not _error_code(error) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def cannot_post(error: SlackApiError, channel: str) -> CannotPost | None:
    """Return the error for people if the bot may not post in the channel, or None."""
    reason = wording.CANNOT_POST_REASONS.get(code_of(error))
    return CannotPost(channel, reason) if reason else None


@contextmanager
def translate_errors(channel: str) -> Iterator[None]:
    """Turn errors of a Web API call into RetryLater, CannotPost or TargetGone."""
    try:
        yield
    except SlackApiError as error:
        raise _translate(error, channel) from error
    except UNREACHABLE as error:
        raise RetryLater(f"Slack can't be reached ({type(error).__name__})") from error


def _translate(error: SlackApiError, channel: str) -> RetryLater | CannotPost | TargetGone:
    code = code_of(error)
    # Retry after unknown errors. After the last attempt, the user is told.
    unknown = TargetGone(code) if code in _GONE else RetryLater(f"Slack refused ({code})")
    return retry_later(error) or cannot_post(error, channel) or unknown
