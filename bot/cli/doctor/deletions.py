"""Check for unfinished deletions, and for stored data that nothing refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from bot.app.services import unused_api_databases
from bot.cli.doctor.result import CheckResult, CheckStatus
from bot.cli.session import SharedStorage
from bot.cli.terminal.exit_codes import ExitCode
from bot.cli.terminal.output import counted
from bot.config.settings import Settings
from bot.domain.errors import BackendError
from bot.domain.identifiers import DatabaseKey
from bot.services.databases import finish_deletions
from bot.services.maintenance.obligations import ObligationReporter
from bot.services.maintenance.removal_worker import GRACE, sweep_pictures
from bot.storage.ports.removals import PendingCounts
from bot.storage.sql_storage import SqlStorage

NAME = "Deletions"
MAX_SHOWN = 10


@dataclass(frozen=True, slots=True)
class _Leftovers:
    late: tuple[str, ...]
    unused: int
    pending: PendingCounts
    api_databases: tuple[DatabaseKey, ...]


def deletions(settings: Settings, shared: SharedStorage) -> Iterator[CheckResult]:
    """Report deletions that are late, and finish others.

    Call it only for tables of this version, since opening older ones upgrades them.
    """
    try:
        left = shared.run(partial(_finish, settings))
    except BackendError as error:
        found = str(error).removesuffix(".")
        yield CheckResult(NAME, CheckStatus.WRONG, found, "Repair the storage first.", ExitCode.STORAGE)
        return
    if not left.late:
        yield CheckResult(NAME, CheckStatus.OK, "none is late")
    for sentence in left.late:
        remedy = "Keep the bot running. It tries again every few hours at least; its log says why this fails."
        yield CheckResult(NAME, CheckStatus.WRONG, sentence, remedy)
    yield from _removals(left)
    if left.api_databases:
        names = ", ".join(f"{key.name} of {key.workspace}" for key in left.api_databases[:MAX_SHOWN])
        more = ", …" if len(left.api_databases) > MAX_SHOWN else ""
        count = counted(len(left.api_databases), "database")
        found = f"{count} of API keys that are not in VSEARCH_API_KEYS: {names}{more}"
        yield CheckResult(NAME, CheckStatus.NOTE, f"{found}; “vsearch db delete-unused-api” deletes them")


def _removals(left: _Leftovers) -> Iterator[CheckResult]:
    if left.unused:
        found = f"removed {counted(left.unused, 'stored picture')} that no image uses"
        yield CheckResult(NAME, CheckStatus.NOTE, found)
    if left.pending.failed:
        remedy = "The running bot tries them again. Its log says why they failed."
        found = f"{counted(left.pending.failed, 'removal')} of pictures or uploads failed so far"
        yield CheckResult(NAME, CheckStatus.WRONG, found, remedy)
    elif left.pending.open:
        found = f"{counted(left.pending.open, 'removal')} of pictures or uploads wait for the running bot"
        yield CheckResult(NAME, CheckStatus.NOTE, found)
    else:
        yield CheckResult(NAME, CheckStatus.OK, "nothing is left to remove")


async def _finish(settings: Settings, storage: SqlStorage) -> _Leftovers:
    late = await ObligationReporter(storage.inbox, storage.catalogue, settings.retention_days).late()
    await finish_deletions(storage)
    unused = await sweep_pictures(storage, datetime.now(UTC) - GRACE)
    await storage.api_images.forget_deleted_databases()
    counts = await storage.pending_removals.counts()
    return _Leftovers(late, unused, counts, await unused_api_databases(settings, storage))
