"""Restore a backup into an empty data directory. Everything here blocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bot.storage.pictures.file_store import sync_folder
from bot.storage.sql.locks.processes import FileLocks
from bot.storage.transfer.backup_format import (
    DATABASE,
    PICTURES,
    BackupFiles,
    BackupRefused,
    Manifest,
    OnProgress,
    Pace,
    checksum,
    opened_backup,
    verify,
)
from bot.storage.transfer.unfinished_restore import UNFINISHED

_PARTIAL = f".{DATABASE}.partial"
_IGNORED = {"lost+found", ".DS_Store"}


@dataclass(frozen=True, slots=True)
class RestorePlace:
    """Where a bot with these settings has its data. ``database`` may be outside ``data_dir``."""

    data_dir: Path
    database: Path
    pictures_in: str


def restore_backup(backup: Path, place: RestorePlace, pace: Pace, on_progress: OnProgress) -> Manifest:
    """Verify a backup and copy it to an empty place. Return its manifest.

    If that is interrupted, the next call begins again. Raises BackupRefused, BackupStopped and OSError; then the place
    is empty, as it was.
    """
    with opened_backup(backup) as files:
        _refuse_unless_empty(place)
        manifest, sums = verify(files, backup, pace, lambda done, total: on_progress(done, 2 * total))
        if manifest.pictures_in != place.pictures_in:
            raise BackupRefused(
                f"The backup's pictures are in {_WHERE[manifest.pictures_in]}. Set"
                f" VSEARCH_PICTURES={manifest.pictures_in} and run the command again."
            )
        with _marked_unfinished(place):
            _copy(files, sums, place, pace, on_progress)
    return manifest


_WHERE = {"files": "files", "database": "its database"}


def _refuse_unless_empty(place: RestorePlace) -> None:
    folder, present = place.data_dir, []
    if folder.is_dir():
        present = sorted(path.name for path in folder.iterdir())
    if UNFINISHED in present:
        # All else is what an interrupted restore has copied.
        present = []
    present = [name for name in present if name not in _IGNORED]
    is_taken = place.database.exists() and (not place.database.is_relative_to(folder) or bool(present))
    if present or is_taken or (folder.exists() and not folder.is_dir()):
        found = folder / present[0] if present else place.database if is_taken else folder
        raise BackupRefused(
            f"A backup is restored into an empty place only, and {found} exists. Name another directory with --data-dir"
            " or VSEARCH_DATA_DIR, or move the old data away."
        )


@contextmanager
def _marked_unfinished(place: RestorePlace) -> Iterator[None]:
    """Mark the data directory as incomplete, and leave it empty after an error. Raises BackupRefused."""
    is_new = not place.data_dir.exists()
    place.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    locks = FileLocks(place.data_dir / UNFINISHED)
    if not locks.try_acquire(UNFINISHED):
        raise BackupRefused(f"Another backup is being restored into {place.data_dir}. Wait for it.")
    try:
        _clear(place)
        sync_folder(place.data_dir)
        yield
    except BaseException:
        _clear(place)
        shutil.rmtree(place.data_dir / UNFINISHED, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                place.data_dir.rmdir()
        raise
    finally:
        locks.close()
    shutil.rmtree(place.data_dir / UNFINISHED)
    sync_folder(place.data_dir)


def _copy(
    files: BackupFiles, sums: Mapping[str, str], place: RestorePlace, pace: Pace, on_progress: OnProgress
) -> None:
    names = sorted(sums, key=lambda name: (name == DATABASE, name))
    place.database.parent.mkdir(parents=True, exist_ok=True)
    folders = {place.data_dir, place.database.parent}
    for done, name in enumerate(names, 1):
        target = place.database.with_name(_PARTIAL) if name == DATABASE else place.data_dir / name
        if target.parent not in folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            folders |= {target.parent, target.parent.parent}
        with files.open(name) as stream, target.open("wb") as copy:
            target.chmod(0o600)
            found = checksum(stream, pace, copy.write)
            copy.flush()
            os.fsync(copy.fileno())
        if found != sums[name]:
            raise BackupRefused(f"{name} in the backup changed meanwhile. Run the command again.")
        on_progress(len(names) + done, 2 * len(names))
    # Last, so that there is no database without its pictures.
    place.database.with_name(_PARTIAL).rename(place.database)
    for folder in folders:
        sync_folder(folder)


def _clear(place: RestorePlace) -> None:
    """Remove what an unfinished restore has copied."""
    shutil.rmtree(place.data_dir / PICTURES, ignore_errors=True)
    place.database.with_name(_PARTIAL).unlink(missing_ok=True)
    if place.database.is_relative_to(place.data_dir):
        # Elsewhere it may be another one, because DATABASE_URL has changed since.
        place.database.unlink(missing_ok=True)
