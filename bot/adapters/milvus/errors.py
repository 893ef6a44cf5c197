"""Turns the errors of pymilvus and gRPC into errors of the domain."""

from __future__ import annotations

import grpc
from pymilvus.exceptions import MilvusException

from bot.domain.errors import (
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendLost,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
)

RATE_LIMIT, WRITES_DENIED, NO_COLLECTION, NOT_LOADED = 8, 9, 100, 101
"""Milvus's codes. It denies writes when its quota of disk or memory is used up."""

_FULL = ("no space left", "disk quota", "memory quota", "quota exceeded", "force to deny", "enospc")
_KEY = ("unauthenticated", "auth check failure", "permission_denied", "permission deny")
_LATE = ("deadline_exceeded", "deadline exceeded", "timed out")


def translate(error: Exception) -> BackendError:
    """Return the domain's error. Its text is for the log; Milvus's messages have no secrets."""
    status = error.code() if isinstance(error, grpc.RpcError) and callable(getattr(error, "code", None)) else None
    code = error.code if isinstance(error, MilvusException) else status
    message = _message(error)
    lower = f"{status} {code} {message}".lower()
    if any(word in lower for word in _FULL) or code == WRITES_DENIED:
        return BackendRefused(f"Milvus is full and refuses to write: {message}")
    if any(word in lower for word in _KEY):
        return BackendCredentials(f"Milvus refuses VSEARCH_MILVUS_TOKEN: {message}")
    if code in {NO_COLLECTION, NOT_LOADED}:
        return BackendLost(f"Milvus lacks a collection: {message}")
    if code == RATE_LIMIT:
        return BackendThrottled(f"Milvus limits the rate of requests: {message}")
    if any(word in lower for word in _LATE):
        return BackendTimeout(f"Milvus didn't answer in time: {message}")
    return BackendDown(f"Milvus failed: {message}")


def _message(error: Exception) -> str:
    if isinstance(error, MilvusException):
        return str(error.message)
    if isinstance(error, grpc.RpcError) and callable(getattr(error, "details", None)):
        return str(error.details())
    return f"{type(error).__name__}: {error}"
