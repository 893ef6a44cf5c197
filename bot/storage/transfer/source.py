"""The source of a transfer: a database and its pictures, opened read-only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendError, TransferRefused
from bot.storage.inbox.process_registry import has_live_processes
from bot.storage.pictures.file_store import read_file
from bot.storage.sql import postgres, sqlite
from bot.storage.sql.database import Database
from bot.storage.sql.dialect import in_batches
from bot.storage.sql.migration import HEAD, TOO_NEW, revision_of
from bot.storage.sql.schema.tables import pictures
from bot.storage.transfer.log import refuse_partial_transfer

READERS = 2


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """Where a source is.

    ``name``: for people, without a password. ``address``: SQLAlchemy's URL. ``folders``: data directories that may
    contain its pictures and its worker registry.
    """

    name: str
    address: str = field(repr=False)
    folders: tuple[Path, ...]

    @property
    def file(self) -> Path | None:
        """The database's file; None for PostgreSQL."""
        return None if postgres.is_address(self.address) else Path(str(make_url(self.address).database))

    @property
    def identity(self) -> str:
        """A name that is the same however the user writes the source. ``migrate --from`` accepts it too."""
        return self.name if self.file is None else str(self.file.resolve())

    def is_in_use(self) -> bool:
        """Return whether a vsearch process uses the source: the bot, the API server or a command.

        Blocks. Raises BackendError and OSError.
        """
        if self.file is None:
            return postgres.in_use(postgres.address(self.address))
        return has_live_processes(self.folders)


def source_location(data_dir: Path, database_url: str | None = None) -> SourceLocation:
    """Return the location of the data that a bot with these settings uses."""
    if database_url is None or not postgres.is_address(database_url):
        url = sqlite.address(data_dir, database_url)
        file = Path(str(url.database))
        name = str(data_dir) if database_url is None else database_url
        return SourceLocation(name, url.render_as_string(), tuple(dict.fromkeys((file.parent, data_dir))))
    url = postgres.address(database_url)
    # The name leaves out the password, and options that may differ the next time.
    host = url.query.get("host") or ":".join(str(part) for part in (url.host, url.port) if part)
    return SourceLocation(f"postgresql://{host}/{url.database}", url.render_as_string(hide_password=False), (data_dir,))


class TransferSource:
    """Rows and pictures of a source that no process uses."""

    def __init__(self, location: SourceLocation, database: Database) -> None:
        self.location = location
        self.database = database

    @classmethod
    async def open(cls, location: SourceLocation) -> TransferSource:
        """Open a source.

        Raises TransferRefused if there is no data or its tables have another version, and BackendError, also if a
        transfer to the source is unfinished.
        """
        return await asyncio.to_thread(_open, location)

    async def jpegs(self, digests: Iterable[str]) -> Mapping[str, bytes]:
        """Return those of the pictures that exist in the database or as files, by digest."""
        wanted = list(digests)

        def read_stored(connection: Connection) -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            for some in in_batches(wanted):
                query = select(pictures.c.digest, pictures.c.jpeg).where(pictures.c.digest.in_(some))
                found.update((digest, bytes(jpeg)) for digest, jpeg in connection.execute(query))
            return found

        found = await self.database.read(read_stored)
        missing = [digest for digest in wanted if digest not in found]
        return found | await asyncio.to_thread(self._read_files, missing)

    def _read_files(self, digests: Iterable[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for digest in digests:
            for folder in self.location.folders:
                jpeg = read_file(folder / "pictures", digest)
                if jpeg is not None:
                    found[digest] = jpeg
                    break
        return found

    async def close(self) -> None:
        """Close the database."""
        await self.database.close()


def _open(location: SourceLocation) -> TransferSource:
    file = location.file
    if file is not None:
        if not file.is_file():
            raise TransferRefused(f"There is no vsearch data in {location.name}: {file} does not exist.")
        engine, dialect = sqlite.create(sqlite.read_only_url(file), READERS), sqlite.DIALECT
    else:
        engine, dialect = postgres.create(postgres.address(location.address), READERS), postgres.dialect(1)
    try:
        _check(engine, location)
    except SQLAlchemyError as error:
        engine.dispose()
        raise dialect.translate_error(error) from error
    except (TransferRefused, BackendError):
        engine.dispose()
        raise
    return TransferSource(location, Database(engine, READERS, dialect))


def _check(engine: Engine, location: SourceLocation) -> None:
    with engine.connect() as connection:
        revision = revision_of(connection)
        if revision is None:
            raise TransferRefused(f"There is no vsearch data in {location.name}.")
        if revision > HEAD:
            raise TransferRefused(TOO_NEW)
        if revision < HEAD:
            raise TransferRefused(
                f"An older vsearch wrote the data in {location.name}. To upgrade it, run “vsearch db list” once with "
                "its own settings. Then run this command again."
            )
        refuse_partial_transfer(connection)
