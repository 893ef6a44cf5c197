"""Maps the service's errors to ours: the gateway's codes, the error names of the search behind it, HTTP statuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from bot.domain.errors import (
    BackendCannotFetch,
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendGarbled,
    BackendLost,
    BackendQuota,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    PictureRefused,
)


class RetryRule(Enum):
    """When a call that failed with an error may be retried. ALWAYS means that the service certainly didn't do it."""

    NEVER = "never"
    IF_IDEMPOTENT = "if idempotent"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class ErrorMapping:
    """The exception for an error code, whether the service may have done the call, and when to retry it."""

    error_class: type[BackendError | PictureRefused]
    may_have_been_done: bool = False
    retry: RetryRule = RetryRule.NEVER


THROTTLED = ErrorMapping(BackendThrottled, retry=RetryRule.ALWAYS)
TIMED_OUT = ErrorMapping(BackendTimeout, may_have_been_done=True, retry=RetryRule.IF_IDEMPOTENT)
BROKEN = ErrorMapping(BackendDown, may_have_been_done=True, retry=RetryRule.IF_IDEMPOTENT)
UNREACHABLE = ErrorMapping(BackendDown, retry=RetryRule.ALWAYS)
ABSENT = ErrorMapping(BackendDown)
OVERLOADED = ErrorMapping(BackendDown, may_have_been_done=True)
UNREADABLE = ErrorMapping(BackendGarbled, may_have_been_done=True)
UNSPECIFIED = ErrorMapping(BackendRefused, may_have_been_done=True)
REFUSED = ErrorMapping(BackendRefused)
NOT_AUTHORISED = ErrorMapping(BackendCredentials)
QUOTA_EXHAUSTED = ErrorMapping(BackendQuota)
DATABASE_MISSING = ErrorMapping(BackendLost)
CANNOT_FETCH = ErrorMapping(BackendCannotFetch)
BAD_PICTURE = ErrorMapping(PictureRefused)

# Code to mapping and meaning. The list comes from users of the service, not from its documentation, and predates
# ``appKey``.
_GATEWAY = {
    -1: (UNSPECIFIED, "system or validation error"),
    -2: (QUOTA_EXHAUSTED, "no calls or no balance left"),
    -3: (TIMED_OUT, "the search behind the gateway did not answer in time"),
    -4: (UNREADABLE, "the gateway can't read the answer of the search behind it"),
    -5: (ABSENT, "the gateway can't find the search behind it"),
    -6: (ABSENT, "service missing or offline"),
    -1000: (ABSENT, "maintenance"),
    -1002: (NOT_AUTHORISED, "key missing"),
    -1003: (NOT_AUTHORISED, "signature missing"),
    -1004: (NOT_AUTHORISED, "wrong signature"),
    -1005: (NOT_AUTHORISED, "wrong time"),
    -1006: (NOT_AUTHORISED, "no permission"),
    -1007: (QUOTA_EXHAUSTED, "no package bought"),
    -1008: (NOT_AUTHORISED, "blocked"),
    -1009: (THROTTLED, "too many calls"),
    -1010: (NOT_AUTHORISED, "unknown key"),
    -1011: (NOT_AUTHORISED, "no authorisation"),
    -1012: (NOT_AUTHORISED, "no authorisation"),
    -1013: (NOT_AUTHORISED, "address not allowed"),
}

_GENERIC_CODES = frozenset({-1, -4})
"""Codes that are less specific than the error name of the search behind the gateway, if the response has one."""

_NAME = re.compile(
    r"(?<![\w.])(?:"
    r"Throttling|ServiceUnavailable|InternalError|ClientError|IllegalUrlParameter|InvalidURL|InvalidParameter"
    r"|InvalidFile|InvalidImage|InvalidAccessKeyId|InvalidSecurityToken|SignatureDoesNotMatch|AuthFailed|EntityNotExist"
    r"|NoPermission|Forbidden|Unauthorized|InvalidApi|Arrearage|InsufficientBalance|QuotaExceeded|MissingParameter"
    r")(?:\.\w+)*",
    re.ASCII,
)

# Patterns for the beginning of an error name. The first match wins.
_BY_NAME = (
    (r"Throttling", THROTTLED),
    (r"InternalError\.Timeout", TIMED_OUT),
    (r"InternalError\.Algo", OVERLOADED),
    (r"InternalError|ServiceUnavailable", BROKEN),
    (r"IllegalUrlParameter|InvalidURL|Invalid(?:File|Image)\.(?:URL|Url|Download|CORSURL)", CANNOT_FETCH),
    (r"InvalidFile|InvalidImage", BAD_PICTURE),
    (r"InvalidApi\.NotPurchase|Arrearage|InsufficientBalance|QuotaExceeded", QUOTA_EXHAUSTED),
    (r"InvalidAccessKeyId|InvalidSecurityToken|SignatureDoesNotMatch|AuthFailed|EntityNotExist\.Role", NOT_AUTHORISED),
    (r"NoPermission|Forbidden|Unauthorized|InvalidApi", NOT_AUTHORISED),
)

# All bad arguments have the same code. Only the text, which is not documented, tells a missing database.
_NO_DATABASE = re.compile(
    r"(?:database|\bdb\w*)\b.{0,100}(?:not exist|n't exist|not found)"
    r"|\bno (?:such )?database|unknown database|数据库.{0,100}不存在|不存在.{0,20}数据库",
    re.IGNORECASE | re.DOTALL,
)

_STATUSES = {
    HTTPStatus.UNAUTHORIZED: NOT_AUTHORISED,
    HTTPStatus.PAYMENT_REQUIRED: QUOTA_EXHAUSTED,
    HTTPStatus.FORBIDDEN: NOT_AUTHORISED,
    HTTPStatus.REQUEST_TIMEOUT: TIMED_OUT,
    HTTPStatus.TOO_MANY_REQUESTS: THROTTLED,
    HTTPStatus.GATEWAY_TIMEOUT: TIMED_OUT,
    586: OVERLOADED,
}


def map_gateway_code(code: int, text: str = "") -> ErrorMapping:
    """Map a ``showapi_res_code`` other than 0. ``text`` may contain an error name of the search behind the gateway."""
    mapping, _ = _GATEWAY.get(code, (UNSPECIFIED, ""))
    if code in _GATEWAY and code not in _GENERIC_CODES:
        return mapping
    return map_error_text(text) or mapping


def describe_gateway_code(code: int) -> str:
    """Return the meaning of a gateway code."""
    return _GATEWAY.get(code, (UNSPECIFIED, "unknown code"))[1]


def find_error_name(text: str) -> str:
    """Return the first error name of the search behind the gateway in ``text``, or an empty string."""
    found = _NAME.search(text)
    return found.group() if found else ""


def map_error_text(text: str) -> ErrorMapping | None:
    """Map the error name in ``text``. Returns None if there is none."""
    name = find_error_name(text)
    if not name:
        return None
    for pattern, mapping in _BY_NAME:
        if re.match(pattern, name):
            return mapping
    return DATABASE_MISSING if _NO_DATABASE.search(text) else REFUSED


def map_status(status: int) -> ErrorMapping:
    """Map an HTTP status other than 2xx. Unknown ones are mapped by range, because the service uses its own."""
    if status in _STATUSES:
        return _STATUSES[status]
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return REFUSED
    return BROKEN if status >= HTTPStatus.INTERNAL_SERVER_ERROR else UNREADABLE
