"""Whether the hosted service answers us, and could fetch pictures from us: asked by the doctor, nothing changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from bot.cli.checks import Finding, State
from bot.config import Settings
from bot.errors import BackendError

REMEDY = "docs/hosted.md says what each answer of the service means, and what to do."


def hosted(settings: Settings) -> Iterator[Finding]:
    """One call, which may cost what a call costs; nothing where another back end is in use."""
    if settings.backend != "showapi" or settings.showapi_app_key is None or settings.showapi_ds_id is None:
        return
    try:
        names = asyncio.run(_asked(settings, settings.showapi_app_key, settings.showapi_ds_id))
    except BackendError as error:
        yield Finding("Hosted service", State.WRONG, str(error), f"{error.told} {REMEDY}")
        return
    yield Finding("Hosted service", State.OK, f"answers; {len(names)} of its databases are ours to use")
    if settings.slack_app_token and settings.port is None:
        found = "in Socket Mode without PORT nobody serves the pictures that the service is to fetch"
        yield Finding("Pictures", State.WRONG, found, "Set PORT to where PUBLIC_BASE_URL leads.")


async def _asked(settings: Settings, app_key: str, ds_id: str) -> tuple[str, ...]:
    from bot.adapters.showapi.client import HostedAccount, ShowApi  # noqa: PLC0415 - httpx takes a while to load

    service = ShowApi(HostedAccount(settings.showapi_base_url, app_key, ds_id))
    try:
        return await service.databases()
    finally:
        await service.close()
