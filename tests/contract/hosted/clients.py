"""Our client, aimed at the stand-in, with less patience than in earnest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bot.adapters.showapi.client import HostedAccount, ShowApi
from bot.adapters.showapi.resilience import Patience
from tests.fakes.hosted import HostedService

READ_S = 0.3
HASTY: dict[str, Any] = {
    "connect_s": READ_S,
    "read_s": READ_S,
    "attempt_s": 2 * READ_S,
    "overall_s": 5.0,
    "pause_s": 0.001,
    "throttled_pause_s": 0.001,
    "last_start_s": 0.0,
    "failures": 100,
}


@asynccontextmanager
async def client_of(service: HostedService, calls_per_s: float = 1000, **patience: Any) -> AsyncIterator[ShowApi]:
    account = HostedAccount(service.base_url, service.app_key, service.ds_id, calls_per_s)
    client = ShowApi(account, patience=Patience(**{**HASTY, **patience}))
    try:
        yield client
    finally:
        await client.close()
