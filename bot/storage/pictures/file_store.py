"""Normalised pictures as files, named by their digests."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select

from bot.domain.errors import BackendDown
from bot.storage.sql.advisory_locks import take_advisory_locks
from bot.storage.sql.database import Database
from bot.storage.sql.schema.tables import images

T = TypeVar("T")
ABANDONED_AFTER_S = 3600
"""Age from which an incomplete file is deleted; a younger one may be another process's."""

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FilePictures:
    """Implements ``storage.ports.pictures.PictureStore`` with files such as ``pictures/ab/abcd….jpg``.

    An add stores its picture inside the unit, after the record. A concurrent ``discard_unused`` can't delete it,
    because both take the same lock.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._database = database
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="pictures")

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
        paths = {self._path(digest): jpeg for digest, jpeg in jpegs.items()}

        def put_each(put: Callable[[Path, bytes], None]) -> None:
            for path, jpeg in paths.items():
                put(path, jpeg)

        if self._database.in_unit:

            def work(connection: Connection) -> None:
                take_advisory_locks(connection, "pictures", jpegs)
                _translate_errors(partial(put_each, self._put_missing_now))

            await self._database.defer(work)
        else:
            await self._in_thread(partial(put_each, self._put_now))

    async def get(self, digest: str) -> bytes:
        """Return the JPEG bytes. Raises KeyError."""
        try:
            return await self._in_thread(self._path(digest).read_bytes)
        except FileNotFoundError:
            raise KeyError(digest) from None

    async def discard_unused(self, digests: Iterable[str]) -> None:
        """Delete those of the pictures that no image in any database uses; inside a unit, after it has committed."""
        wanted = sorted(set(digests))
        paths = {digest: self._path(digest) for digest in wanted}

        def work(connection: Connection) -> None:
            take_advisory_locks(connection, "pictures", wanted)
            for digest, path in paths.items():
                used = connection.execute(select(images.c.id).where(images.c.digest == digest).limit(1)).scalar()
                if used is None:
                    with suppress(OSError):  # at worst an unused file stays
                        path.unlink(missing_ok=True)

        # In a write transaction, so that nobody adds the same picture between the check and the deletion.
        if wanted:
            await self._database.after_commit(lambda: self._database.write(work))

    async def ping(self) -> None:
        """Return if the folder can be read and written. Raises BackendDown."""
        await self._in_thread(self._ping_now)

    async def close(self) -> None:
        """Stop the threads."""
        await asyncio.to_thread(self._threads.shutdown)

    def _path(self, digest: str) -> Path:
        return _path_in(self._folder, digest)

    def _open_now(self) -> None:
        self._incoming.mkdir(parents=True, exist_ok=True)
        oldest = time.time() - ABANDONED_AFTER_S
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _ping_now(self) -> None:
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            raise BackendDown("The pictures folder is no longer readable and writable.")

    def _put_missing_now(self, path: Path, jpeg: bytes) -> None:
        if not path.exists():
            self._put_now(path, jpeg)

    def _put_now(self, path: Path, jpeg: bytes) -> None:
        if path.exists():
            _sync_folder(path.parent)
            return
        if not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(self._folder)
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
        _sync_folder(path.parent)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _translate_errors, work)


def read_file(folder: Path, digest: str) -> bytes | None:
    """Read a picture from a folder of pictures; None if it has none. Blocks. Raises BackendDown."""
    try:
        return _translate_errors(_path_in(folder, digest).read_bytes)
    except (FileNotFoundError, KeyError):
        return None


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


def _sync_folder(folder: Path) -> None:
    """Make new entries of a folder durable. Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
