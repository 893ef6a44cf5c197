"""The format of a backup: a folder or a tar file with the database, the pictures, their checksums and a manifest.

``vsearch.db``, ``pictures/ab/abcd….jpg``, ``SHA256SUMS`` (as ``sha256sum --check`` reads it) and ``manifest.json``,
which is written last and has the checksum of ``SHA256SUMS``.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bot.domain.errors import UserError
from bot.storage.sql.migration import HEAD, TOO_NEW

DATABASE, PICTURES, CHECKSUMS, MANIFEST = "vsearch.db", "pictures", "SHA256SUMS", "manifest.json"
FORMAT = 1
IN_FILES, IN_DATABASE = "files", "database"
"""Where the pictures are: values of ``Manifest.pictures_in``."""

WORK_S = REST_S = 0.02
CHUNK = 2**20

_NAME = re.compile(r"vsearch\.db|pictures/[0-9a-f]{2}/[0-9a-f]{64}\.jpg", re.ASCII)
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)", re.ASCII)

OnProgress = Callable[[int, int], None]
"""Called with how many steps are done, and how many there are."""


class BackupRefused(UserError):
    """A backup can't be made or restored. The text says why and what to do."""


class BackupStopped(Exception):
    """``Pace.stop`` was called."""


class Pace:
    """Rests between pieces of work, so that the bot's own work comes first. Another thread may stop the work."""

    def __init__(self, rest_s: float = REST_S) -> None:
        self._rest_s = rest_s
        self._stopped = threading.Event()
        self._since = time.monotonic()

    def rest(self) -> None:
        """Rest if the last rest was a while ago. Raises BackupStopped."""
        if time.monotonic() - self._since >= WORK_S:
            self._stopped.wait(self._rest_s)
            self._since = time.monotonic()
        if self._stopped.is_set():
            raise BackupStopped

    def stop(self) -> None:
        """Stop the work at its next rest."""
        self._stopped.set()


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. ``settings`` are the names of the settings that the bot had, without values."""

    created: str
    version: str
    schema: str
    pictures_in: str
    pictures: int
    missing_pictures: tuple[str, ...]
    settings: tuple[str, ...]
    checksums_sha256: str
    format: int = FORMAT

    def to_json(self) -> str:
        """Return the manifest as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, raw: bytes) -> Manifest:
        """Read a manifest. Raises ValueError, and BackupRefused if a newer vsearch wrote it."""
        try:
            document = json.loads(raw)
            if document["format"] > FORMAT or document["schema"] > HEAD:
                raise BackupRefused(TOO_NEW)
            lists = {name: tuple(document[name]) for name in ("missing_pictures", "settings")}
            return cls(**(document | lists))
        except (KeyError, TypeError) as error:
            raise ValueError(str(error)) from error


class BackupFiles(Protocol):
    """The files of a backup."""

    def open(self, name: str) -> BinaryIO:
        """Open a file. Raises OSError and KeyError."""
        ...


class FolderFiles:
    """Implements ``BackupFiles`` for a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, name: str) -> BinaryIO:
        """Open a file. Raises OSError."""
        return (self._folder / name).open("rb")


class _TarFiles:
    """Implements ``BackupFiles`` for a tar file."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def open(self, name: str) -> BinaryIO:
        """Open a file. Raises KeyError."""
        stream = self._archive.extractfile(name)
        if stream is None:
            raise KeyError(name)
        return stream  # type: ignore[return-value] # typeshed says IO[bytes]


@contextmanager
def opened_backup(path: Path) -> Iterator[BackupFiles]:
    """Open a backup for reading. Raises BackupRefused."""
    if path.is_dir():
        yield FolderFiles(path)
    elif path.is_file():
        try:
            archive = tarfile.open(path, "r:")  # noqa: SIM115 - closed below
        except tarfile.TarError:
            raise incomplete(path) from None
        with archive:
            yield _TarFiles(archive)
    else:
        raise BackupRefused(f"There is no backup at {path}.")


def incomplete(path: Path) -> BackupRefused:
    """Return the error for something that is no whole backup."""
    return BackupRefused(f"{path} is no complete backup of vsearch. Use another one.")


def read_manifest(files: BackupFiles, path: Path) -> tuple[Manifest, Mapping[str, str]]:
    """Return a backup's manifest, and the checksum of each other file by name. Raises BackupRefused."""
    try:
        with files.open(MANIFEST) as stream:
            manifest = Manifest.from_json(stream.read())
        with files.open(CHECKSUMS) as stream:
            listed = stream.read()
        matches = [_LINE.fullmatch(line) for line in listed.decode("ascii").splitlines()]
    except (OSError, KeyError, ValueError, tarfile.TarError):
        raise incomplete(path) from None
    sums = {match[2]: match[1] for match in matches if match and _NAME.fullmatch(match[2])}
    is_whole = len(sums) == len(matches) and DATABASE in sums
    if not is_whole or hashlib.sha256(listed).hexdigest() != manifest.checksums_sha256:
        raise incomplete(path)
    return manifest, sums


def verify(files: BackupFiles, path: Path, pace: Pace, on_progress: OnProgress) -> tuple[Manifest, Mapping[str, str]]:
    """Read a whole backup and compare every checksum. Returns what ``read_manifest`` does. Raises BackupRefused."""
    manifest, sums = read_manifest(files, path)
    for done, (name, expected) in enumerate(sums.items(), 1):
        try:
            with files.open(name) as stream:
                found = checksum(stream, pace)
        except (OSError, KeyError, tarfile.TarError):
            found = ""
        if found != expected:
            raise BackupRefused(f"{name} in {path} is damaged or missing. Use another backup.")
        on_progress(done, len(sums))
    return manifest, sums


def checksum(stream: BinaryIO, pace: Pace, also: Callable[[bytes], object] | None = None) -> str:
    """Return the SHA-256 of a stream. ``also`` gets each piece of it."""
    digest = hashlib.sha256()
    while piece := stream.read(CHUNK):
        digest.update(piece)
        if also is not None:
            also(piece)
        pace.rest()
    return digest.hexdigest()


def picture_name(digest: str) -> str | None:
    """Return the name of a picture in a backup; None for a digest that is none."""
    name = f"{PICTURES}/{digest[:2]}/{digest}.jpg"
    return name if _NAME.fullmatch(name) else None
