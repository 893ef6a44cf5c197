"""Slack's signature of a request (version v0), checked on the raw body before anything parses it."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

from starlette.datastructures import Headers

VALID_FOR_S = 300
"""Slack's own limit for the age of a request. It keeps recorded requests from being sent again later."""

MAX_TIMESTAMP = 20
SIGNATURE_LENGTH = 67
"""``v0=`` and a SHA-256 in hex."""

_VERSION = b"v0"


class SlackSignature:
    """Verifies that Slack signed a request with the app's signing secret.

    The verifier of Slack's SDK raises errors for bodies that are not UTF-8 and for timestamps that are no numbers.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._clock = clock

    def is_present(self, headers: Headers) -> bool:
        """Return whether the headers have one recent signature, whatever it signs. Needs no body."""
        timestamps, signatures = self._given(headers)
        # A second header would let this check and Bolt's read different ones.
        if len(timestamps) != 1 or len(signatures) != 1:
            return False
        return len(signatures[0]) == SIGNATURE_LENGTH and self._is_recent(timestamps[0])

    def is_valid(self, headers: Headers, body: bytes) -> bool:
        """Return whether the headers sign this body now. Takes constant time for signatures of the right length."""
        if not self.is_present(headers):
            return False
        timestamps, signatures = self._given(headers)
        signed = b":".join((_VERSION, timestamps[0].encode(), body))
        expected = _VERSION + b"=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest().encode()
        return hmac.compare_digest(expected, signatures[0].encode("latin-1"))

    @staticmethod
    def _given(headers: Headers) -> tuple[list[str], list[str]]:
        return headers.getlist("x-slack-request-timestamp"), headers.getlist("x-slack-signature")

    def _is_recent(self, timestamp: str) -> bool:
        is_number = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= MAX_TIMESTAMP
        return is_number and abs(self._clock() - int(timestamp)) <= VALID_FOR_S
