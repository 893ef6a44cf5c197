"""Our client, aimed at the stand-in. It pauses for less than in earnest, and waits for answers as long as it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.adapters.showapi.http.resilience import RetryPolicy
from tests.fakes.hosted import HostedService

PATIENT: dict[str, Any] = {
    # On a busy machine the stand-in needs a second to read a picture.
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
HASTY: dict[str, Any] = {"read_s": READ_S, "attempt_s": 2 * READ_S}
"""For answers that are not to come in time."""


@asynccontextmanager
async def client_of(service: HostedService, calls_per_s: float = 1000, **patience: Any) -> AsyncIterator[ShowApiClient]:
    account = ShowApiAccount(service.base_url, service.app_key, service.ds_id, calls_per_s)
    client = ShowApiClient(account, retry_policy=RetryPolicy(**{**PATIENT, **patience}))
    try:
        yield client
    finally:
        await client.close()
