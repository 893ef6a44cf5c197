"""Whether the hosted service answers us, and could fetch pictures from us: asked by the doctor, nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.config.settings import Settings
from bot.domain.errors import BackendError

REMEDY = "docs/hosted.md says what each answer of the service means, and what to do."


def hosted(settings: Settings) -> Iterator[CheckResult]:
    """One call, which may cost what a call costs; nothing where another back end is in use."""
    if settings.backend != "showapi" or settings.showapi_app_key is None or settings.showapi_ds_id is None:
        return
    try:
        names = asyncio.run(_list_databases(settings, settings.showapi_app_key, settings.showapi_ds_id))
    except BackendError as error:
        yield CheckResult("Hosted service", CheckStatus.WRONG, str(error), f"{error.user_message} {REMEDY}")
        return
    yield CheckResult("Hosted service", CheckStatus.OK, f"answers; {len(names)} of its databases are ours to use")
    if settings.slack_app_token and settings.port is None:
        found = "in Socket Mode without PORT nobody serves the pictures that the service is to fetch"
        yield CheckResult("Pictures", CheckStatus.WRONG, found, "Set PORT to where PUBLIC_BASE_URL leads.")


async def _list_databases(settings: Settings, app_key: str, ds_id: str) -> tuple[str, ...]:
    service = ShowApiClient(ShowApiAccount(settings.showapi_base_url, app_key, ds_id))
    try:
        return await service.databases()
    finally:
        await service.close()
