"""A call that failed, on its way out: nothing of the libraries' exceptions, nor the key, goes with it."""

from __future__ import annotations

import httpx

from bot.adapters.showapi.http import error_codes
from bot.adapters.showapi.http.error_codes import ErrorMapping, RetryRule
from bot.adapters.showapi.http.responses import FailedResponse
from bot.domain.errors import BackendError, PictureRefused
from bot.telemetry.redaction import Redactor

MAX_QUOTED = 200
"""Characters of a text of the service's."""

PICTURE_REFUSED = "The image search refused this picture. Please try another one."

# The first that fits: a kind stands before the one that it is of.
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
    """Holds the ``error`` for the caller, what operators are told, and whether the call may be made again."""

    def __init__(self, mapping: ErrorMapping, description: str) -> None:
        super().__init__(description)
        self.description = description
        self.again: RetryRule = mapping.retry
        if issubclass(mapping.error_class, PictureRefused):
            self.error: BackendError | PictureRefused = mapping.error_class(PICTURE_REFUSED)
        else:
            self.error = mapping.error_class(description)
            self.error.may_have_been_done = mapping.may_have_been_done

    @property
    def may_have_been_done(self) -> bool:
        """Whether the call may have been carried out all the same."""
        return isinstance(self.error, BackendError) and self.error.may_have_been_done

    def mark_doubtful(self) -> None:
        """An earlier attempt may have been carried out, whatever became of this one."""
        if isinstance(self.error, BackendError):
            self.error.may_have_been_done = True


class FailureFactory:
    """Makes them, with the texts of others redacted. ``secrets``: what these may repeat."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._redact = Redactor(secrets)

    def refused(self, operation: str, refusal: FailedResponse) -> CallFailure:
        """The service said no, or something else that is no success."""
        ids = ", ".join(self._quoted(identifier) for identifier in refusal.request_ids) or "none"
        text = self._quoted(refusal.text)
        code = self._quoted(refusal.code)
        said = text if text.startswith(code) else f"{code}: {text}" if text else code
        return CallFailure(refusal.mapping, f"{operation}: {said} (HTTP {refusal.status}, request {ids})")

    def unreadable(self, operation: str, what: str) -> CallFailure:
        """The service says that all is well, but not what it did."""
        return CallFailure(error_codes.UNREADABLE, f"{operation}: {what}")

    def network_failed(self, operation: str, error: Exception) -> CallFailure:
        """The network failed, or our patience ended."""
        mapping = next((mapping for kind, mapping in _NETWORK if isinstance(error, kind)), error_codes.BROKEN)
        text = self._quoted(str(error))
        return CallFailure(mapping, f"{operation}: {type(error).__name__}{': ' if text else ''}{text}")

    def _quoted(self, text: str) -> str:
        """Redacted before it is cut, since half a key is told too much."""
        printable = (letter if letter.isprintable() else " " for letter in self._redact(text))
        text = " ".join("".join(printable).split())
        return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
