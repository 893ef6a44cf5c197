"""Backs up and restores the data that the settings describe, in a thread of low priority."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.config.settings import Settings
from bot.config.version import installed_version
from bot.domain.errors import InvalidInput
from bot.storage.transfer.backup import BackupReport, BackupSource, write_backup
from bot.storage.transfer.backup_format import IN_DATABASE, IN_FILES, Manifest, OnProgress, Pace
from bot.storage.transfer.restore import RestorePlace, restore_backup
from bot.storage.transfer.source import source_location

T = TypeVar("T")

NICENESS = 15

POSTGRES_COMMANDS = (
    "This bot's data is in PostgreSQL, which has its own tool for backups:",
    'pg_dump --format=custom --file={target}.dump "$DATABASE_URL"',
    'pg_restore --no-owner --dbname="$DATABASE_URL" {target}.dump    # into a new, empty database',
)
BUCKET_COMMANDS = (
    "This bot's pictures are in a bucket, which has its own tool for backups. Copy the database first:",
    "python -c \"import sqlite3; sqlite3.connect('{database}').backup(sqlite3.connect('{target}.db'))\"",
)


async def back_up(
    settings: Settings, target: Path, on_progress: OnProgress, earlier: Path | None = None
) -> BackupReport:
    """Write a backup of a bot that may be running. If cancelled, leave nothing of it.

    Raises InvalidInput with the commands to use instead if the data isn't on this machine alone, BackupRefused,
    BackendError and OSError.
    """
    _refuse_other_storage(settings, target)
    location = source_location(settings.data_dir, settings.database_url)
    assert location.file is not None
    source = BackupSource(
        data_dir=settings.data_dir,
        database=location.file,
        pictures=settings.data_dir / "pictures" if _pictures_in(settings) == IN_FILES else None,
        version=installed_version(),
        settings=_given(settings),
    )
    pace = Pace()
    return await _in_background(pace, partial(write_backup, source, target, pace, on_progress, earlier))


async def restore(settings: Settings, backup: Path, on_progress: OnProgress) -> Manifest:
    """Restore a backup to where the settings say. If cancelled, leave nothing of it.

    Raises InvalidInput with the commands to use instead if the data isn't on this machine alone, BackupRefused and
    OSError.
    """
    _refuse_other_storage(settings, backup)
    location = source_location(settings.data_dir.absolute(), settings.database_url)
    assert location.file is not None
    place = RestorePlace(settings.data_dir.absolute(), location.file.absolute(), _pictures_in(settings))
    pace = Pace(rest_s=0)
    return await _in_background(pace, partial(restore_backup, backup, place, pace, on_progress))


def settings_to_repeat(settings: Settings, manifest: Manifest) -> tuple[str, ...]:
    """Return the names of settings that the bot had which made a backup, and that these settings lack."""
    return tuple(name for name in manifest.settings if name not in _given(settings))


def _given(settings: Settings) -> tuple[str, ...]:
    """Return the names of the settings that differ from their defaults."""
    items = dataclasses.fields(settings)
    return tuple(item.metadata["name"] for item in items if getattr(settings, item.name) != item.default)


def _pictures_in(settings: Settings) -> str:
    return IN_DATABASE if settings.pictures == IN_DATABASE else IN_FILES


def _refuse_other_storage(settings: Settings, target: Path) -> None:
    """Raise InvalidInput with the right commands, if the data is in PostgreSQL or in a bucket."""
    location = source_location(settings.data_dir, settings.database_url)
    commands = [*(POSTGRES_COMMANDS if location.file is None else ())]
    if settings.pictures == "bucket":
        if location.file is not None:
            commands += [*BUCKET_COMMANDS]
        endpoint = f" --endpoint-url {settings.bucket_endpoint}" if settings.bucket_endpoint else ""
        commands.append(f"aws s3 sync s3://{settings.bucket} {{target}}-pictures{endpoint}")
    elif settings.pictures == "files" and location.file is None:
        commands.append(f"cp -r {settings.data_dir / 'pictures'} {{target}}-pictures")
    if commands:
        raise InvalidInput("\n".join(commands).format(target=target, database=location.file))


async def _in_background(pace: Pace, work: Callable[[], T]) -> T:
    """Run work in a thread of low priority. A cancelled caller stops it, and waits until it has tidied up."""
    with ThreadPoolExecutor(1, thread_name_prefix="backup", initializer=_lower_priority) as thread:
        running = asyncio.get_running_loop().run_in_executor(thread, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            pace.stop()
            await asyncio.wait([running])
            # Read it, or asyncio would log that nobody did.
            running.exception()
            raise


def _lower_priority() -> None:
    # Linux gives each thread a priority of its own; elsewhere it would be the whole process's.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
