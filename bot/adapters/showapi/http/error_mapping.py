"""Turns failed calls into our exceptions, without the app key and without the exceptions of libraries."""

from __future__ import annotations

import httpx

from bot.adapters.showapi.http import error_codes
from bot.adapters.showapi.http.error_codes import ErrorMapping, RetryRule
from bot.adapters.showapi.http.responses import FailedResponse
from bot.domain.errors import BackendError, PictureRefused
from bot.telemetry.redaction import Redactor

MAX_QUOTED = 200
"""Characters of the service's own text that an error quotes."""

PICTURE_REFUSED = "The image search refused this picture. Please try another one."

# The first match wins, so subclasses come before their base classes.
_NETWORK: tuple[tuple[type[Exception], ErrorMapping], ...] = (
    (httpx.ConnectTimeout, error_codes.UNREACHABLE),
    (httpx.PoolTimeout, error_codes.UNREACHABLE),
    (httpx.ConnectError, error_codes.UNREACHABLE),
    (httpx.TimeoutException, error_codes.TIMED_OUT),
    (TimeoutError, error_codes.TIMED_OUT),
    (httpx.UnsupportedProtocol, error_codes.REFUSED),
    (httpx.LocalProtocolError, error_codes.REFUSED),
    (httpx.InvalidURL, error_codes.REFUSED),
)

NETWORK_ERRORS = (TimeoutError, httpx.HTTPError, httpx.InvalidURL)


class CallFailure(Exception):
    """A failed call: the ``error`` for the caller, a ``description`` for the log, and the ``retry`` rule."""

    def __init__(self, mapping: ErrorMapping, description: str) -> None:
        super().__init__(description)
        self.description = description
        self.retry: RetryRule = mapping.retry
        if issubclass(mapping.error_class, PictureRefused):
            self.error: BackendError | PictureRefused = mapping.error_class(PICTURE_REFUSED)
        else:
            self.error = mapping.error_class(description)
            self.error.may_have_been_done = mapping.may_have_been_done

    @property
    def may_have_been_done(self) -> bool:
        """Whether the service may have carried out the call."""
        return isinstance(self.error, BackendError) and self.error.may_have_been_done

    def mark_doubtful(self) -> None:
        """Record that an earlier attempt of the call may have been carried out."""
        if isinstance(self.error, BackendError):
            self.error.may_have_been_done = True


class FailureFactory:
    """Creates CallFailures and redacts ``secrets`` from the texts of the service and of libraries."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._redact = Redactor(secrets)

    def refused(self, operation: str, refusal: FailedResponse) -> CallFailure:
        """Return the failure for a response that is not a success."""
        ids = ", ".join(self._quoted(identifier) for identifier in refusal.request_ids) or "none"
        text = self._quoted(refusal.text)
        code = self._quoted(refusal.code)
        said = text if text.startswith(code) else f"{code}: {text}" if text else code
        return CallFailure(refusal.mapping, f"{operation}: {said} (HTTP {refusal.status}, request {ids})")

    def unreadable(self, operation: str, what: str) -> CallFailure:
        """Return the failure for a successful response without the expected content."""
        return CallFailure(error_codes.UNREADABLE, f"{operation}: {what}")

    def network_failed(self, operation: str, error: Exception) -> CallFailure:
        """Return the failure for a network error or a timeout."""
        mapping = next((mapping for kind, mapping in _NETWORK if isinstance(error, kind)), error_codes.BROKEN)
        text = self._quoted(str(error))
        return CallFailure(mapping, f"{operation}: {type(error).__name__}{': ' if text else ''}{text}")

    def _quoted(self, text: str) -> str:
        """Return the text on one line, redacted and shortened. Redact first, because a cut could split a key."""
        printable = (letter if letter.isprintable() else " " for letter in self._redact(text))
        text = " ".join("".join(printable).split())
        return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
