"""The hosted service's client for tests: short pauses, and long timeouts by default."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.adapters.showapi.http.resilience import RetryPolicy
from tests.fakes.hosted import HostedService

PATIENT: dict[str, Any] = {
    # On a busy machine, the fake service takes a second to read a picture.
    "connect_s": 10.0,
    "read_s": 10.0,
    "attempt_s": 20.0,
    "overall_s": 60.0,
    "pause_s": 0.001,
    "throttled_pause_s": 0.001,
    "last_start_s": 0.0,
    "failures": 100,
}

READ_S = 0.3
IMPATIENT: dict[str, Any] = {"read_s": READ_S, "attempt_s": 2 * READ_S}
"""Retry policy of tests in which responses must time out."""


@asynccontextmanager
async def open_client(
    service: HostedService, calls_per_s: float = 1000, **patience: Any
) -> AsyncIterator[ShowApiClient]:
    account = ShowApiAccount(service.base_url, service.app_key, service.ds_id, calls_per_s)
    client = ShowApiClient(account, retry_policy=RetryPolicy(**{**PATIENT, **patience}))
    try:
        yield client
    finally:
        await client.close()
