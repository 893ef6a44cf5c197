"""What Slack's refusals mean for work that was taken up: try again, tell the person, or let it be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.blocks.wording import channels as wording
from bot.domain.errors import RetryLater, UserError

UNREACHABLE = (aiohttp.ClientError, SlackClientError, TimeoutError, OSError)
"""What a call of the Web API raises besides SlackApiError (which is one of SlackClientError)."""

_TRANSIENT = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)

_TOKEN_REVOKED = frozenset(
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


class CannotPost(UserError):
    """The bot may not write where it should; the text is for the person, who is told elsewhere."""

    def __init__(self, channel: str, reason: str) -> None:
        super().__init__(wording.cannot_post("", reason))
        self.channel = channel
        self.reason = reason


class TargetGone(UserError):
    """What was to be answered is no longer there; nobody is told."""


def code_of(error: SlackApiError) -> str:
    """Slack's word for what is wrong, or the HTTP status of an answer that is no JSON."""
    return _word(error) or str(status_of(error))


def status_of(error: SlackApiError) -> int:
    """The answer's HTTP status; 200 where that isn't known."""
    # Of an answer that can't be read, the SDK hands on aiohttp's response in place of its own.
    response = error.response
    return int(getattr(response, "status_code", None) or getattr(response, "status", None) or HTTPStatus.OK)


def _word(error: SlackApiError) -> str:
    data = getattr(error.response, "data", error.response)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def retry_later(error: SlackApiError) -> RetryLater | None:
    """When to try again, if Slack is only busy or unwell."""
    status = status_of(error)
    # No word of Slack's: a proxy's page, or an answer that was cut.
    unread = _word(error) in {"", *_TRANSIENT}
    if unread or status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        headers = {str(name).lower(): value for name, value in (getattr(error.response, "headers", None) or {}).items()}
        after = str(headers.get("retry-after", ""))
        return RetryLater(f"Slack asks for patience ({code_of(error)})", float(after) if after.isdecimal() else 0.0)
    return None


def is_outcome_unknown(error: SlackApiError) -> bool:
    """Whether the call may have been carried out."""
    status = status_of(error)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return False
    return not _word(error) or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def cannot_post(error: SlackApiError, channel: str) -> CannotPost | None:
    """Why the bot may not write in a channel, if that is what Slack says."""
    reason = wording.CANNOT_POST_REASONS.get(code_of(error))
    return CannotPost(channel, reason) if reason else None


@contextmanager
def translate_errors(channel: str) -> Iterator[None]:
    """Turn what a call raises into TryAgain, CantSpeak or Gone."""
    try:
        yield
    except SlackApiError as error:
        raise _translate(error, channel) from error
    except UNREACHABLE as error:
        raise RetryLater(f"Slack can't be reached ({type(error).__name__})") from error


def _translate(error: SlackApiError, channel: str) -> RetryLater | CannotPost | TargetGone:
    code = code_of(error)
    # What we don't know may be over by the next attempt; after the last one, the person is told.
    unknown = TargetGone(code) if code in _TOKEN_REVOKED else RetryLater(f"Slack refused ({code})")
    return retry_later(error) or cannot_post(error, channel) or unknown
