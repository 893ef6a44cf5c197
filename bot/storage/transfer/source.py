"""The house that is moved out of: read, and never written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendError, TransferRefused
from bot.storage.catalogue.rows import in_batches
from bot.storage.inbox.worker_registry import FileWorkerRegistry
from bot.storage.pictures.file_store import read_file
from bot.storage.sql import postgres, sqlite
from bot.storage.sql.database import Database
from bot.storage.sql.migration import HEAD, TOO_NEW, revision_of
from bot.storage.sql.schema.tables import pictures
from bot.storage.transfer.log import refuse_partial_transfer

READERS = 2


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where a house stands. ``address``: SQLAlchemy's. ``folders``: where its pictures and its workers may be."""

    name: str
    address: str = field(repr=False)
    folders: tuple[Path, ...]

    @property
    def file(self) -> Path | None:
        """Of SQLite."""
        return None if postgres.is_address(self.address) else Path(str(make_url(self.address).database))

    @property
    def identity(self) -> str:
        """The same for all ways to name one house; it may be given in place of the name."""
        return self.name if self.file is None else str(self.file.resolve())

    def is_in_use(self) -> bool:
        """Whether a vsearch works there, as far as can be told. Blocks. Raises BackendError and OSError."""
        if self.file is None:
            return postgres.in_use(postgres.address(self.address))
        return any(FileWorkerRegistry(folder / "workers").has_live_workers() for folder in self.folders)


def source_location(data_dir: Path, database_url: str | None = None) -> SourceLocation:
    """Where a house with these settings stands."""
    if database_url is None or not postgres.is_address(database_url):
        url = sqlite.address(data_dir, database_url)
        file = Path(str(url.database))
        name = str(data_dir) if database_url is None else database_url
        return SourceLocation(name, url.render_as_string(), tuple(dict.fromkeys((file.parent, data_dir))))
    url = postgres.address(database_url)
    # Without the password, and whatever else need not be the same next time.
    where = url.query.get("host") or ":".join(str(part) for part in (url.host, url.port) if part)
    return SourceLocation(
        f"postgresql://{where}/{url.database}", url.render_as_string(hide_password=False), (data_dir,)
    )


class TransferSource:
    """Rows and pictures of a house that nobody works on."""

    def __init__(self, place: SourceLocation, database: Database) -> None:
        self.place = place
        self.database = database

    @classmethod
    async def open(cls, place: SourceLocation) -> TransferSource:
        """Raises CannotMove if there is no house, not one of this version, or not all of one; and BackendError."""
        return await asyncio.to_thread(_open, place)

    async def jpegs(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Those of the pictures that are there, in the database or as files."""
        wanted = list(digests)

        def look(connection: Connection) -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            for some in in_batches(wanted):
                query = select(pictures.c.digest, pictures.c.jpeg).where(pictures.c.digest.in_(some))
                found.update((digest, bytes(jpeg)) for digest, jpeg in connection.execute(query))
            return found

        found = await self.database.read(look)
        missing = [digest for digest in wanted if digest not in found]
        return found | await asyncio.to_thread(self._files, missing)

    def _files(self, digests: Iterable[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for digest in digests:
            for folder in self.place.folders:
                jpeg = read_file(folder / "pictures", digest)
                if jpeg is not None:
                    found[digest] = jpeg
                    break
        return found

    async def close(self) -> None:
        """Let go of it."""
        await self.database.close()


def _open(place: SourceLocation) -> TransferSource:
    file = place.file
    if file is not None:
        if not file.is_file():
            raise TransferRefused(f"There is no vsearch data in {place.name}: {file} does not exist.")
        engine, dialect = sqlite.create(sqlite.read_only_url(file), READERS), sqlite.DIALECT
    else:
        engine, dialect = postgres.create(postgres.address(place.address), READERS), postgres.dialect(1)
    try:
        _check(engine, place)
    except SQLAlchemyError as error:
        engine.dispose()
        raise dialect.translate_error(error) from error
    except (TransferRefused, BackendError):
        engine.dispose()
        raise
    return TransferSource(place, Database(engine, READERS, dialect))


def _check(engine: Engine, place: SourceLocation) -> None:
    with engine.connect() as connection:
        revision = revision_of(connection)
        if revision is None:
            raise TransferRefused(f"There is no vsearch data in {place.name}.")
        if revision > HEAD:
            raise TransferRefused(TOO_NEW)
        if revision < HEAD:
            raise TransferRefused(
                f"The data in {place.name} is an older vsearch's: run “vsearch db list” on it once with its own "
                "settings, which brings its tables up to date, and then this again."
            )
        refuse_partial_transfer(connection)
