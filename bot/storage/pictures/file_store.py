"""Normalised pictures as files, named by their digests."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.domain.errors import BackendDown
from bot.storage.catalogue.used_pictures import unused_digests
from bot.storage.removals.pictures import PictureRemovals
from bot.storage.sql.database import Database
from bot.storage.sql.writer_threads import run_to_end

T = TypeVar("T")
ABANDONED_AFTER_S = 3600
"""Age from which an incomplete file is deleted; a younger one may be another process's."""

LISTED = 500
"""Pictures that are compared with the catalogue at a time."""

_THREADS = 4
"""Threads that write files, because each file waits for the disk."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FilePictures:
    """Implements ``storage.ports.pictures.PictureStore`` with files such as ``pictures/ab/abcd….jpg``.

    An add stores its picture inside the unit, before its transaction begins. ``PictureRemovals`` keeps a concurrent
    removal from deleting it.
    """

    def __init__(
        self, folder: Path, database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._database = database
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures")
        self._removals = PictureRemovals(database, clock, self._remove, "the folder")

    async def open(self) -> None:
        """Create the folders, and delete incomplete files left by a crash."""
        await self._in_thread(self._open_now)

    async def put(self, digest: str, jpeg: bytes) -> None:
        """Store a picture. It is durable on return, or inside a unit when the unit ends.

        Storing the same picture again changes nothing.
        """
        await self.put_all({digest: jpeg})

    async def put_all(self, jpegs: Mapping[str, bytes]) -> None:
        """Store several pictures, by digest."""
        if not jpegs:
            return
        files = [(self._path(digest), jpeg) for digest, jpeg in jpegs.items()]
        puts = [partial(self._put_now, files[first::_THREADS]) for first in range(min(_THREADS, len(files)))]
        tokens = await self._removals.before_put(jpegs)
        # At the same time, because each waits for the disk. The error of one must come after all others have ended.
        outcomes = await asyncio.gather(*map(self._in_thread, puts), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        await self._removals.keep(jpegs, tokens)

    async def get(self, digest: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError."""
        try:
            return await self._in_thread(self._path(digest).read_bytes)
        except FileNotFoundError:
            raise KeyError(digest) from None

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those of the pictures that no image in any database uses; inside a unit, after it has committed.

        What can't be deleted now is deleted later.
        """
        wanted = sorted(set(digests))
        for digest in wanted:
            self._path(digest)
        await self._removals.discard_unused(wanted)

    async def remove_due(self, limit: int) -> int:
        """Delete up to ``limit`` pictures whose removal is pending and due. Return how many."""
        return await self._removals.remove_due(limit)

    async def unused(self, before: datetime) -> AsyncIterator[Sequence[str]]:
        """Yield pictures that no image uses and that were stored before a moment, in batches.

        Incomplete files from before that moment, which a process has left that died, are deleted at once.
        """
        await self._in_thread(partial(self._delete_incomplete_now, before.timestamp()))
        for folder in await self._in_thread(self._subfolders_now):
            digests = await self._in_thread(partial(_stored_before, folder, before.timestamp()))
            for start in range(0, len(digests), LISTED):
                some = digests[start : start + LISTED]
                if unused := await self._database.read(partial(unused_digests, some)):
                    yield unused

    async def ping(self) -> None:
        """Return if the folder can be read and written. Raises BackendDown."""
        await self._in_thread(self._ping_now)

    def location(self, digest: str) -> str:
        """Return the path of a picture's file."""
        return str(self._path(digest).absolute())

    async def close(self) -> None:
        """Stop the threads."""
        await asyncio.to_thread(self._threads.shutdown)

    def _path(self, digest: str) -> Path:
        return _path_in(self._folder, digest)

    def _open_now(self) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._delete_incomplete_now(time.time() - ABANDONED_AFTER_S)

    def _delete_incomplete_now(self, oldest: float) -> None:
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _ping_now(self) -> None:
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise BackendDown("The pictures folder is no longer readable and writable.")

    def _subfolders_now(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if path.is_dir() and path != self._incoming)

    async def _remove(self, digests: Sequence[str]) -> None:
        paths = [self._path(digest) for digest in digests]

        def unlink() -> None:
            for path in paths:
                path.unlink(missing_ok=True)

        await self._in_thread(unlink)

    def _put_now(self, files: Sequence[tuple[Path, bytes]]) -> None:
        """Write files that aren't there yet, and make all of them durable. A folder with several is synced once.

        Raises the OSError of one after all others are written.
        """
        errors: list[OSError] = []
        for path, jpeg in files:
            try:
                if not path.exists():
                    self._write_now(path, jpeg)
            except OSError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        for folder in {path.parent for path, _ in files}:
            sync_folder(folder)

    def _write_now(self, path: Path, jpeg: bytes) -> None:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(self._folder)
        self._incoming.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(jpeg)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # What a cancelled caller does next must come after this, such as removing what it has stored.
        return await run_to_end(asyncio.get_running_loop().run_in_executor(self._threads, _translate_errors, work))


def read_file(folder: Path, digest: str) -> bytes | None:
    """Read a picture from a folder of pictures; None if it has none. Blocks. Raises BackendDown."""
    try:
        return _translate_errors(_path_in(folder, digest).read_bytes)
    except (FileNotFoundError, KeyError):
        return None


def _stored_before(folder: Path, moment: float) -> list[str]:
    """Return the digests of the pictures in a folder that were stored before a moment (seconds)."""
    digests = []
    with os.scandir(folder) as entries:
        for entry in entries:
            digest = entry.name.removesuffix(".jpg")
            with suppress(FileNotFoundError):
                if _DIGEST.fullmatch(digest) and entry.stat().st_mtime < moment:
                    digests.append(digest)
    return digests


def _path_in(folder: Path, digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        raise KeyError(digest)
    return folder / digest[:2] / f"{digest}.jpg"


def _translate_errors(work: Callable[[], T]) -> T:
    try:
        return work()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BackendDown(f"can't store or read a picture: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    """Make new entries of a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
