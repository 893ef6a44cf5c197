"""Errors of pymilvus become errors of the domain, with the words of real servers."""

from __future__ import annotations

import pytest
from pymilvus.exceptions import MilvusException

from bot.adapters.milvus.errors import translate
from bot.domain.errors import (
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendLost,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
)

REFUSED = "Fail connecting to server on 127.0.0.1:1, illegal connection params or server unavailable"


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (9, "quota exceeded[reason=disk quota exceeded, please allocate more resources]", BackendRefused),
        (1, "write /var/lib/milvus/db: no space left on device", BackendRefused),
        (9, "quota exceeded[reason=memory quota exceeded, please allocate more resources]", BackendRefused),
        (8, "request is rejected by grpc RateLimiter middleware, please retry later", BackendThrottled),
        (100, "collection not found[database=default][collection=nope]", BackendLost),
        (101, "failed to search: collection not loaded[collection=470834205602349271]", BackendLost),
        (2, REFUSED, BackendDown),
        (1, "Retry timeout: 2s, StatusCode.UNAVAILABLE, failed to connect to all addresses", BackendDown),
        (1, "StatusCode.DEADLINE_EXCEEDED, Deadline Exceeded", BackendTimeout),
        (1, "StatusCode.UNAUTHENTICATED, auth check failure, please check username and password", BackendCredentials),
        (65535, "the length(4) of float data should divide the dim(1280)", BackendDown),
    ],
)
def test_errors_have_a_kind(code: int, message: str, kind: type[BackendError]) -> None:
    error = translate(MilvusException(code, message))
    assert type(error) is kind
    assert message in str(error)
    assert ("full" in str(error)) == (kind is BackendRefused)


def test_other_errors_are_outages() -> None:
    assert str(translate(OSError("broken pipe"))) == "Milvus failed: OSError: broken pipe"
