"""Check that the hosted service answers and can fetch pictures from this bot."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendError

REMEDY = "See docs/hosted.md for what each of the service's errors means."


def hosted(settings: Settings) -> Iterator[CheckResult]:
    """Make one call, which may be charged; yield nothing if another back end is in use."""
    if settings.backend != "showapi" or settings.showapi_app_key is None or settings.showapi_ds_id is None:
        return
    try:
        names = asyncio.run(_list_databases(settings, settings.showapi_app_key, settings.showapi_ds_id))
    except BackendError as error:
        yield CheckResult("Hosted service", CheckStatus.WRONG, str(error), f"{error.user_message} {REMEDY}")
        return
    yield CheckResult("Hosted service", CheckStatus.OK, f"answers; this account has {counted(len(names), 'database')}")
    if settings.slack_app_token and settings.port is None:
        found = "the service can't fetch pictures: in Socket Mode, nothing serves them without PORT"
        yield CheckResult("Pictures", CheckStatus.WRONG, found, "Set PORT to the port that PUBLIC_BASE_URL leads to.")


async def _list_databases(settings: Settings, app_key: str, ds_id: str) -> tuple[str, ...]:
    service = ShowApiClient(ShowApiAccount(settings.showapi_base_url, app_key, ds_id))
    try:
        return await service.databases()
    finally:
        await service.close()
