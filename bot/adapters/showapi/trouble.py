"""A call that failed, on its way out: nothing of the libraries' exceptions, nor the key, goes with it."""

from __future__ import annotations

import httpx

from bot.adapters.showapi import codes
from bot.adapters.showapi.answers import Refusal
from bot.adapters.showapi.codes import Again, Meaning
from bot.errors import BackendError, PictureRefused
from bot.redaction import Redactor

MOST_TOLD = 200
"""Characters of a text of the service's."""

PICTURE_REFUSED = "The image search refused this picture. Please try another one."

# The first that fits: a kind stands before the one that it is of.
_NETWORK: tuple[tuple[type[Exception], Meaning], ...] = (
    (httpx.ConnectTimeout, codes.UNREACHABLE),
    (httpx.PoolTimeout, codes.UNREACHABLE),
    (httpx.ConnectError, codes.UNREACHABLE),
    (httpx.TimeoutException, codes.TIMED_OUT),
    (TimeoutError, codes.TIMED_OUT),
    (httpx.UnsupportedProtocol, codes.REFUSED),
    (httpx.LocalProtocolError, codes.REFUSED),
    (httpx.InvalidURL, codes.REFUSED),
)

NETWORK_ERRORS = (TimeoutError, httpx.HTTPError, httpx.InvalidURL)


class Trouble(Exception):
    """Holds the ``error`` for the caller, what operators are told, and whether the call may be made again."""

    def __init__(self, meaning: Meaning, told: str) -> None:
        super().__init__(told)
        self.told = told
        self.again: Again = meaning.again
        if issubclass(meaning.kind, PictureRefused):
            self.error: BackendError | PictureRefused = meaning.kind(PICTURE_REFUSED)
        else:
            self.error = meaning.kind(told)
            self.error.may_have_been_done = meaning.may_have_been_done

    @property
    def may_have_been_done(self) -> bool:
        """Whether the call may have been carried out all the same."""
        return isinstance(self.error, BackendError) and self.error.may_have_been_done

    def after_doubt(self) -> None:
        """An earlier attempt may have been carried out, whatever became of this one."""
        if isinstance(self.error, BackendError):
            self.error.may_have_been_done = True


class Troubles:
    """Makes them, with the texts of others redacted. ``secrets``: what these may repeat."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._redact = Redactor(secrets)

    def refused(self, operation: str, refusal: Refusal) -> Trouble:
        """The service said no, or something else that is no success."""
        ids = ", ".join(self._quoted(identifier) for identifier in refusal.request_ids) or "none"
        text = self._quoted(refusal.text)
        code = self._quoted(refusal.code)
        said = text if text.startswith(code) else f"{code}: {text}" if text else code
        return Trouble(refusal.meaning, f"{operation}: {said} (HTTP {refusal.status}, request {ids})")

    def garbled(self, operation: str, what: str) -> Trouble:
        """The service says that all is well, but not what it did."""
        return Trouble(codes.GARBLED, f"{operation}: {what}")

    def broken(self, operation: str, error: Exception) -> Trouble:
        """The network failed, or our patience ended."""
        meaning = next((meaning for kind, meaning in _NETWORK if isinstance(error, kind)), codes.BROKEN)
        text = self._quoted(str(error))
        return Trouble(meaning, f"{operation}: {type(error).__name__}{': ' if text else ''}{text}")

    def _quoted(self, text: str) -> str:
        """Redacted before it is cut, since half a key is told too much."""
        printable = (letter if letter.isprintable() else " " for letter in self._redact(text))
        text = " ".join("".join(printable).split())
        return text if len(text) <= MOST_TOLD else f"{text[:MOST_TOLD]}…"
