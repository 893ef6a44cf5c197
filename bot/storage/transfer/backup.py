"""Write a consistent backup of a SQLite database and its pictures while the bot runs. Everything here blocks."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from bot.storage.pictures.file_store import sync_folder
from bot.storage.sql import sqlite
from bot.storage.sql.locks.processes import FileLocks
from bot.storage.sql.migration import HEAD, TOO_NEW, revision_of
from bot.storage.sql.schema.tables import images
from bot.storage.transfer.backup_format import (
    CHECKSUMS,
    DATABASE,
    IN_DATABASE,
    IN_FILES,
    MANIFEST,
    BackupRefused,
    FolderFiles,
    Manifest,
    OnProgress,
    Pace,
    checksum,
    opened_backup,
    picture_name,
    verify,
)
from bot.storage.transfer.database_copy import check_integrity, copy_database
from bot.storage.transfer.log import refuse_partial_transfer

ARCHIVE = ".tar"
PARTIAL = ".partial"
ROUNDS = 5
"""How often the database is copied if pictures are deleted meanwhile. Each round after the first takes moments."""


class BackupUnderWay(BackupRefused):
    """Another process makes a backup of the same data."""

    def __init__(self) -> None:
        super().__init__("Another backup of this data is being made. Wait for it, and run the command again.")


@dataclass(frozen=True, slots=True)
class BackupSource:
    """What to copy.

    ``pictures``: their folder; None if they are in the database. ``settings``: names only.
    """

    data_dir: Path
    database: Path
    pictures: Path | None
    version: str
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A finished backup. ``missing`` are the digests of pictures that the bot had lost before."""

    target: Path
    pictures: int
    size: int
    missing: tuple[str, ...]


def write_backup(
    source: BackupSource, target: Path, pace: Pace, on_progress: OnProgress, earlier: Path | None = None
) -> BackupReport:
    """Write a backup and verify it: a tar file if the name of ``target`` ends with ``.tar``, else a folder.

    It has another name until it is complete. ``earlier`` is an older backup, whose pictures are shared by hard links
    where the source's can't be. Raises BackupRefused, BackupStopped, BackendError and OSError.
    """
    if os.path.lexists(target):
        raise BackupRefused(f"{target} already exists. Name a file or folder that doesn't.")
    if not source.database.is_file():
        raise BackupRefused(f"There is no vsearch data to back up: {source.database.absolute()} doesn't exist.")
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = partial_name(target)
    with _alone(source.data_dir), _removed_on_error(folder):
        folder.mkdir(mode=0o700)
        report = _Writer(source, folder, pace, earlier).write(target, on_progress)
        if target.suffix == ARCHIVE:
            _pack(folder, target, pace)
            shutil.rmtree(folder)
        else:
            folder.rename(target)
        sync_folder(target.parent)
    return report


def partial_name(target: Path) -> Path:
    """Return the name that a backup has until it is complete."""
    return target.with_name(f".{target.name}{PARTIAL}")


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Make sure that no other process makes a backup of the same data. Raises BackupUnderWay."""
    locks = FileLocks(data_dir / "locks" / "backup")
    if not locks.try_acquire("backup"):
        raise BackupUnderWay
    try:
        yield
    finally:
        locks.close()


@contextmanager
def _removed_on_error(folder: Path) -> Iterator[None]:
    """Remove what an earlier backup left when it was killed, and what this one leaves when it fails."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


class _Writer:
    """Writes the files of one backup to a folder."""

    def __init__(self, source: BackupSource, folder: Path, pace: Pace, earlier: Path | None) -> None:
        self._source, self._folder, self._pace, self._earlier = source, folder, pace, earlier
        self._sums: dict[str, str] = {}
        self._schema: str | None = None

    def write(self, target: Path, on_progress: OnProgress) -> BackupReport:
        created = datetime.now(UTC)
        missing = self._copy(lambda done, total: on_progress(done, 2 * total))
        with (self._folder / DATABASE).open("rb") as stream:
            self._sums[DATABASE] = checksum(stream, self._pace)
        listed = "".join(f"{found}  {name}\n" for name, found in sorted(self._sums.items())).encode()
        _write_durably(self._folder / CHECKSUMS, listed)
        for path in (*(path for path in self._folder.rglob("*") if path.is_dir()), self._folder):
            sync_folder(path)
        manifest = Manifest(
            created=created.isoformat(timespec="seconds"),
            version=self._source.version,
            schema=self._schema or HEAD,
            pictures_in=IN_DATABASE if self._source.pictures is None else IN_FILES,
            pictures=len(self._sums) - 1,
            missing_pictures=tuple(missing),
            settings=self._source.settings,
            checksums_sha256=hashlib.sha256(listed).hexdigest(),
        )
        _write_durably(self._folder / MANIFEST, manifest.to_json().encode())
        sync_folder(self._folder)
        files = FolderFiles(self._folder)
        verify(files, target, self._pace, lambda done, total: on_progress(total + done, 2 * total))
        check_integrity(self._folder / DATABASE, self._pace)
        size = sum((self._folder / name).stat().st_size for name in self._sums)
        return BackupReport(target, manifest.pictures, size, manifest.missing_pictures)

    def _copy(self, on_progress: OnProgress) -> list[str]:
        """Copy the database and then the pictures that it names. Return those that can't be found.

        A picture may be deleted before it is copied. The next copy of the database doesn't name it any more.
        """
        missing: list[str] = []
        named: Mapping[str, str] = {}
        for _ in range(ROUNDS):
            (self._folder / DATABASE).unlink(missing_ok=True)
            copy_database(self._source.database, self._folder / DATABASE, self._pace)
            named = self._named_pictures()
            before, missing = missing, self._copy_pictures(named, on_progress)
            if not missing or missing == before:
                break
        for name in self._sums.keys() - named.keys():
            (self._folder / name).unlink()
            del self._sums[name]
        return missing

    def _named_pictures(self) -> Mapping[str, str]:
        """Return the digest of each picture that the copied database names, by its name in the backup."""
        engine = sqlite.create(sqlite.read_only_url(self._folder / DATABASE), 1)
        try:
            with engine.connect() as connection:
                self._schema = revision_of(connection)
                if not self._schema:
                    raise BackupRefused(f"There is no vsearch data in {self._source.database}.")
                if self._schema > HEAD:
                    raise BackupRefused(TOO_NEW)
                if self._schema == HEAD:
                    refuse_partial_transfer(connection)
                if self._source.pictures is None:
                    return {}
                digests = connection.execute(select(images.c.digest).distinct().order_by(images.c.digest)).scalars()
                return {name: digest for digest in digests if (name := picture_name(digest))}
        except SQLAlchemyError as error:
            raise sqlite.translate_error(error) from error
        finally:
            engine.dispose()

    def _copy_pictures(self, named: Mapping[str, str], on_progress: OnProgress) -> list[str]:
        assert self._source.pictures is not None or not named
        missing = []
        for done, (name, digest) in enumerate(named.items(), 1):
            if name not in self._sums:
                found = self._copy_picture(name)
                if found is None:
                    missing.append(digest)
                else:
                    self._sums[name] = found
            on_progress(done, len(named))
        return missing

    def _copy_picture(self, name: str) -> str | None:
        """Copy or link a picture, and return its checksum; None if it isn't there."""
        assert self._source.pictures is not None
        source, target = self._source.pictures.parent / name, self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            # Pictures are added and deleted, but never changed, so a link is as good as a copy, and takes no space.
            os.link(source, target)
        except FileNotFoundError:
            return None
        except OSError:
            return self._copy_to_other_disk(name, source, target)
        with target.open("rb") as stream:
            return checksum(stream, self._pace)

    def _copy_to_other_disk(self, name: str, source: Path, target: Path) -> str | None:
        try:
            with source.open("rb") as stream:
                if self._earlier is not None and self._linked_from(self._earlier / name, target):
                    found = checksum(stream, self._pace)
                    with target.open("rb") as copied:
                        if checksum(copied, self._pace) == found:
                            return found
                    target.unlink()
                    stream.seek(0)
                with target.open("wb") as copy:
                    found = checksum(stream, self._pace, copy.write)
                    copy.flush()
                    os.fsync(copy.fileno())
                    return found
        except FileNotFoundError:
            return None

    def _linked_from(self, earlier: Path, target: Path) -> bool:
        with suppress(OSError):
            os.link(earlier, target)
            return True
        return False


def _pack(folder: Path, target: Path, pace: Pace) -> None:
    """Pack a folder into a tar file, and verify that."""
    partial = folder.with_name(f"{folder.name}{ARCHIVE}")
    try:
        with partial.open("wb") as stream:
            partial.chmod(0o600)
            with tarfile.open(fileobj=stream, mode="w") as archive:
                for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                    archive.add(path, path.relative_to(folder).as_posix(), filter=_without_owner)
                    pace.rest()
            stream.flush()
            os.fsync(stream.fileno())
        with opened_backup(partial) as files:
            verify(files, target, pace, lambda _done, _total: None)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _without_owner(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
