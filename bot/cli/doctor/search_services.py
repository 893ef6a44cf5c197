"""Check the search services: that the hosted one answers and can fetch pictures, and that Milvus answers."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator

from bot.adapters.showapi.http.client import ShowApiAccount, ShowApiClient
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.session import SharedStorage
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendError
from bot.storage.sql_storage import SqlStorage

REMEDY = "See docs/hosted.md for what each of the service's errors means."
MILVUS = "Milvus"


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


def milvus(settings: Settings, shared: SharedStorage, *, has_tables: bool) -> Iterator[CheckResult]:
    """Check that Milvus answers, and report what it lacks, or what it still has although it isn't used any more."""
    pending = shared.run(_pending_changes) if has_tables else None
    if settings.backend != "milvus":
        if pending is not None:
            found = "has copies of vectors, but isn't the back end; “vsearch retire milvus” deletes them"
            yield CheckResult(MILVUS, CheckStatus.NOTE, found)
        return
    if settings.milvus_url is None or importlib.util.find_spec("pymilvus") is None:
        return  # The check of the settings says so.
    try:
        version = asyncio.run(_ping(settings.milvus_url, settings.milvus_token, float(settings.milvus_timeout_s)))
    except BackendError as error:
        remedy = "Check VSEARCH_MILVUS_URL and VSEARCH_MILVUS_TOKEN, and that Milvus runs."
        yield CheckResult(MILVUS, CheckStatus.WRONG, str(error).removesuffix("."), remedy, ExitCode.STORAGE)
        return
    yield CheckResult(MILVUS, CheckStatus.OK, f"answers, version {version.removeprefix('v')}")
    if pending:
        found = f"lacks {counted(pending, 'change')}, which the running bot makes"
        yield CheckResult(MILVUS, CheckStatus.NOTE, found)


async def _pending_changes(storage: SqlStorage) -> int | None:
    """Return the number of changes that Milvus lacks; None if it has no copies."""
    queue = storage.milvus_queue()
    return await queue.pending() if await queue.is_open() else None


async def _ping(url: str, token: str | None, timeout_s: float) -> str:
    from bot.adapters.milvus.client import MilvusAccount, PyMilvusEngine  # noqa: PLC0415 - slow, and optional

    engine = PyMilvusEngine(MilvusAccount(url, "doctor", token, timeout_s))
    try:
        return await engine.ping()
    finally:
        await engine.close()
