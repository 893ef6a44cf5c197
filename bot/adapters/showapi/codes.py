"""What the service's codes mean for us: the gateway's numbers, the names of the search behind it, HTTP statuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from bot.errors import (
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


class Again(Enum):
    """Whether a call that ended so may be made once more."""

    NEVER = "never"
    WHERE_SAFE = "where doing it twice is like doing it once"
    ALWAYS = "it was certainly not done"


@dataclass(frozen=True, slots=True)
class Meaning:
    """The error that a code stands for."""

    kind: type[BackendError | PictureRefused]
    may_have_been_done: bool = False
    again: Again = Again.NEVER


THROTTLED = Meaning(BackendThrottled, again=Again.ALWAYS)
TIMED_OUT = Meaning(BackendTimeout, may_have_been_done=True, again=Again.WHERE_SAFE)
BROKEN = Meaning(BackendDown, may_have_been_done=True, again=Again.WHERE_SAFE)
UNREACHABLE = Meaning(BackendDown, again=Again.ALWAYS)
ABSENT = Meaning(BackendDown)
OVERTAXED = Meaning(BackendDown, may_have_been_done=True)
GARBLED = Meaning(BackendGarbled, may_have_been_done=True)
FAILED_SOMEHOW = Meaning(BackendRefused, may_have_been_done=True)
REFUSED = Meaning(BackendRefused)
NO_RIGHTS = Meaning(BackendCredentials)
USED_UP = Meaning(BackendQuota)
LOST = Meaning(BackendLost)
CANNOT_FETCH = Meaning(BackendCannotFetch)
BAD_PICTURE = Meaning(PictureRefused)

# The list is older than ``appKey``, and comes from those who use the service, not from its documentation.
_GATEWAY = {
    -1: (FAILED_SOMEHOW, "system or validation error"),
    -2: (USED_UP, "no calls or balance left"),
    -3: (TIMED_OUT, "the search behind the gateway did not answer in time"),
    -4: (GARBLED, "the gateway can't read the answer of the search behind it"),
    -5: (ABSENT, "the gateway can't find the search behind it"),
    -6: (ABSENT, "service missing or offline"),
    -1000: (ABSENT, "maintenance"),
    -1002: (NO_RIGHTS, "key missing"),
    -1003: (NO_RIGHTS, "signature missing"),
    -1004: (NO_RIGHTS, "wrong signature"),
    -1005: (NO_RIGHTS, "wrong time"),
    -1006: (NO_RIGHTS, "no permission"),
    -1007: (USED_UP, "no package bought"),
    -1008: (NO_RIGHTS, "blocked"),
    -1009: (THROTTLED, "too many calls"),
    -1010: (NO_RIGHTS, "unknown key"),
    -1011: (NO_RIGHTS, "no authorisation"),
    -1012: (NO_RIGHTS, "no authorisation"),
    -1013: (NO_RIGHTS, "address not allowed"),
}

_VAGUE = frozenset({-1, -4})
"""Of these the search's own code, where one is told, says more."""

_NAME = re.compile(
    r"(?<![\w.])(?:"
    r"Throttling|ServiceUnavailable|InternalError|ClientError|IllegalUrlParameter|InvalidURL|InvalidParameter"
    r"|InvalidFile|InvalidImage|InvalidAccessKeyId|InvalidSecurityToken|SignatureDoesNotMatch|AuthFailed|EntityNotExist"
    r"|NoPermission|Forbidden|Unauthorized|InvalidApi|Arrearage|InsufficientBalance|QuotaExceeded|MissingParameter"
    r")(?:\.\w+)*",
    re.ASCII,
)

# The first that fits the name's beginning.
_NAMED = (
    (r"Throttling", THROTTLED),
    (r"InternalError\.Timeout", TIMED_OUT),
    (r"InternalError\.Algo", OVERTAXED),
    (r"InternalError|ServiceUnavailable", BROKEN),
    (r"IllegalUrlParameter|InvalidURL|Invalid(?:File|Image)\.(?:URL|Url|Download|CORSURL)", CANNOT_FETCH),
    (r"InvalidFile|InvalidImage", BAD_PICTURE),
    (r"InvalidApi\.NotPurchase|Arrearage|InsufficientBalance|QuotaExceeded", USED_UP),
    (r"InvalidAccessKeyId|InvalidSecurityToken|SignatureDoesNotMatch|AuthFailed|EntityNotExist\.Role", NO_RIGHTS),
    (r"NoPermission|Forbidden|Unauthorized|InvalidApi", NO_RIGHTS),
)

# An argument is refused with one code whatever is wrong with it, and what the text then says is documented nowhere.
_NO_DATABASE = re.compile(
    r"(?:database|\bdb\w*)\b.{0,100}(?:not exist|n't exist|not found)"
    r"|\bno (?:such )?database|unknown database|数据库.{0,100}不存在|不存在.{0,20}数据库",
    re.IGNORECASE | re.DOTALL,
)

_STATUSES = {
    HTTPStatus.UNAUTHORIZED: NO_RIGHTS,
    HTTPStatus.PAYMENT_REQUIRED: USED_UP,
    HTTPStatus.FORBIDDEN: NO_RIGHTS,
    HTTPStatus.REQUEST_TIMEOUT: TIMED_OUT,
    HTTPStatus.TOO_MANY_REQUESTS: THROTTLED,
    HTTPStatus.GATEWAY_TIMEOUT: TIMED_OUT,
    586: OVERTAXED,
}


def of_gateway(code: int, text: str = "") -> Meaning:
    """Of ``showapi_res_code``, which is not 0; ``text`` may tell the code of the search behind it."""
    meaning, _ = _GATEWAY.get(code, (FAILED_SOMEHOW, ""))
    if code in _GATEWAY and code not in _VAGUE:
        return meaning
    return of_name(text) or meaning


def in_words(code: int) -> str:
    """What is known of a code of the gateway."""
    return _GATEWAY.get(code, (FAILED_SOMEHOW, "unknown code"))[1]


def name_in(text: str) -> str:
    """The first code of the search behind the gateway that stands in a text; empty if there is none."""
    found = _NAME.search(text)
    return found.group() if found else ""


def of_name(text: str) -> Meaning | None:
    """Of a text in which the search's code stands; None if there is none."""
    name = name_in(text)
    if not name:
        return None
    for pattern, meaning in _NAMED:
        if re.match(pattern, name):
            return meaning
    return LOST if _NO_DATABASE.search(text) else REFUSED


def of_status(status: int) -> Meaning:
    """Of an HTTP status that is no success: by range, since the service has some that no standard has."""
    if status in _STATUSES:
        return _STATUSES[status]
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return REFUSED
    return BROKEN if status >= HTTPStatus.INTERNAL_SERVER_ERROR else GARBLED
