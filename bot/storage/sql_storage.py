"""Opens the storage: a SQLite file and a folder of pictures, or PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendDown, BackendError
from bot.storage.catalogue.api_image_urls import SqlApiImages
from bot.storage.catalogue.catalogue import SqlCatalogue
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.hosted.pending_deletions import SqlPendingDeletions
from bot.storage.inbox.inbox import SqlInbox
from bot.storage.inbox.job_notifier import PostgresJobNotifier
from bot.storage.inbox.worker_registry import FileWorkerRegistry, NullWorkerRegistry
from bot.storage.pictures.file_store import FilePictures
from bot.storage.pictures.relayed import SqlRelayedPictures
from bot.storage.pictures.sql_store import SqlPictures
from bot.storage.slack.channel_settings import SqlChannelBindings
from bot.storage.slack.uploads import SqlThumbnails
from bot.storage.sql import postgres, sqlite
from bot.storage.sql.database import Database
from bot.storage.sql.keyring import SqlKeyring
from bot.storage.sql.migration import migrate
from bot.storage.transfer.log import refuse_partial_transfer
from bot.storage.vectors.embedded import SqlVectorStore

if TYPE_CHECKING:
    from bot.storage.pictures.bucket import Bucket
    from bot.storage.pictures.bucket_store import BucketPictures
    from bot.storage.slack.installations import SqlInstallations, SqlOAuthStates
    from bot.storage.transfer.source import TransferSource
    from bot.storage.transfer.transfer import SqlTransfer
    from bot.storage.vectors.pgvector import PgvectorVectorStore
    from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance

READERS = 4
CONNECTIONS = 8
"""To PostgreSQL; half of them for writers."""

IN_FILES, IN_DATABASE, IN_BUCKET = "files", "database", "bucket"
"""Where pictures are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """What the settings say of the storage; None: as the kind of database suggests. ``bucket``: for IN_BUCKET."""

    pictures: str | None = None
    bucket: Bucket | None = None
    connections: int = CONNECTIONS
    allow_partial: bool = False
    """Open it even if a move to it isn't finished, to finish that."""


DEFAULT_OPTIONS = StorageOptions()


class SqlStorage:
    """Satisfies ``ports.storage.Storage``; ``vectors`` is the embedded engine's store, ``ledger`` the hosted one's."""

    def __init__(self, opened: _OpenedDatabase, pictures: FilePictures | SqlPictures | BucketPictures) -> None:
        database = self._database = opened.database
        self._pictures = pictures
        self._clock = opened.clock
        self._catalogue = SqlCatalogue(database)
        self._bindings = SqlChannelBindings(database)
        self._inbox = opened.inbox
        self._thumbnails = SqlThumbnails(database)
        self._keyring = SqlKeyring(database)
        self._vectors = SqlVectorStore(database)
        self._ledger = SqlLedger(database, opened.clock)
        self._pending_deletions = SqlPendingDeletions(database, opened.clock)
        self._relayed = SqlRelayedPictures(database, opened.clock)

    @classmethod
    async def open(
        cls, data_dir: Path, database_url: str | None = None, options: StorageOptions = DEFAULT_OPTIONS
    ) -> Self:
        """Open what is there, or begin it; the tables stand where the address says. Raises BackendError."""
        if postgres.is_address(database_url):
            opened = await asyncio.to_thread(_open_postgres, str(database_url), options)
        else:
            opened = await asyncio.to_thread(_open_sqlite, data_dir, database_url)
        pictures = _pictures(opened, data_dir / "pictures", options)
        try:
            if not options.allow_partial:
                await opened.database.read(refuse_partial_transfer)
            await pictures.open()
        except BackendError:
            await opened.database.close()
            raise
        except OSError as error:
            await opened.database.close()
            raise _unusable(data_dir, error) from error
        return cls(opened, pictures)

    @property
    def catalogue(self) -> SqlCatalogue:
        """What we know of each image."""
        return self._catalogue

    @property
    def pictures(self) -> FilePictures | SqlPictures | BucketPictures:
        """The pictures."""
        return self._pictures

    @property
    def bindings(self) -> SqlChannelBindings:
        """What was set for channels."""
        return self._bindings

    @property
    def inbox(self) -> SqlInbox:
        """Work that waits."""
        return self._inbox

    @property
    def thumbnails(self) -> SqlThumbnails:
        """What was uploaded to Slack."""
        return self._thumbnails

    @property
    def keyring(self) -> SqlKeyring:
        """Shared secrets."""
        return self._keyring

    @property
    def vectors(self) -> SqlVectorStore:
        """The embedded engine's rows."""
        return self._vectors

    @property
    def ledger(self) -> SqlLedger:
        """What was given to the hosted service."""
        return self._ledger

    @property
    def pending_deletions(self) -> SqlPendingDeletions:
        """What is to go from it."""
        return self._pending_deletions

    @property
    def relayed(self) -> SqlRelayedPictures:
        """Pictures that the hosted service is to fetch."""
        return self._relayed

    @property
    def api_images(self) -> SqlApiImages:
        """Where the images of our own server of the hosted API came from."""
        return SqlApiImages(self._database)

    async def open_pgvector(self) -> tuple[PgvectorVectorStore, PgvectorMaintenance]:
        """Rows that pgvector searches, and what is done to them now and then. Raises BackendError."""
        from bot.storage.vectors.pgvector import PgvectorVectorStore  # noqa: PLC0415 - only one of the back ends needs it
        from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance  # noqa: PLC0415

        upkeep = PgvectorMaintenance(self._database)
        await upkeep.open()
        return PgvectorVectorStore(self._database), upkeep

    async def drop_pgvector(self) -> None:
        """Delete the rows that pgvector searches; those that they were made of stay."""
        from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance  # noqa: PLC0415

        await PgvectorMaintenance(self._database).drop_table()

    def transfer_from(self, origin: TransferSource, *, for_pgvector: bool) -> SqlTransfer:
        """A move of another house's rows to here, where pgvector is to search them or not."""
        from bot.storage.transfer.transfer import SqlTransfer  # noqa: PLC0415 - as above
        from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance  # noqa: PLC0415

        return SqlTransfer(
            origin, self._database, self._clock, PgvectorMaintenance(self._database) if for_pgvector else None
        )

    def installations(self, secret: str) -> SqlInstallations:
        """Who installed the app; ``secret`` seals their tokens."""
        from bot.storage.slack.installations import SqlInstallations  # noqa: PLC0415 - the command line needs no Slack
        from bot.storage.slack.token_encryption import TokenCipher  # noqa: PLC0415

        return SqlInstallations(self._database, TokenCipher(secret))

    def oauth_states(self) -> SqlOAuthStates:
        """What an install in progress has to bring back."""
        from bot.storage.slack.installations import SqlOAuthStates  # noqa: PLC0415

        return SqlOAuthStates(self._database)

    def unit(self) -> AbstractAsyncContextManager[None]:
        """All writes awaited inside are one transaction, committed at the end; errors of theirs may show there."""
        return self._database.unit()

    async def ping(self) -> None:
        """Return if storage can be read and written. Raises BackendError."""
        # A writer's transaction: it fails where the file is read-only or the lock can't be had.
        await self._database.write(lambda connection: connection.execute(text("SELECT 1")).scalar())

    async def close(self) -> None:
        """Let go of files and threads."""
        await self._pictures.close()
        await self._database.close()


@dataclass(frozen=True, slots=True)
class _OpenedDatabase:
    """What differs between databases once they are open."""

    database: Database
    inbox: SqlInbox
    pictures: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


def _open_sqlite(data_dir: Path, database_url: str | None) -> _OpenedDatabase:
    url = sqlite.address(data_dir, database_url)
    engine = sqlite.create(url, READERS + sqlite.DIALECT.writers)
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        sqlite.prepare(url)
        migrate(engine)
    except BackendError:
        engine.dispose()
        raise
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        engine.dispose()
        raise _unusable(data_dir, error) from error
    database = Database(engine, READERS, sqlite.DIALECT)
    return _OpenedDatabase(database, SqlInbox(database, FileWorkerRegistry(data_dir / "workers")), IN_FILES)


def _open_postgres(database_url: str, options: StorageOptions) -> _OpenedDatabase:
    url = postgres.address(database_url)
    engine = postgres.create(url, options.connections)
    try:
        migrate(engine)
        clock = postgres.clock(engine)
    except BackendError:
        engine.dispose()
        raise
    except SQLAlchemyError as error:
        engine.dispose()
        raise postgres.translate_error(error) from error
    writers = max(options.connections // 2, 1)
    database = Database(engine, max(options.connections - writers, 1), postgres.dialect(writers))
    inbox = SqlInbox(database, NullWorkerRegistry(), clock, PostgresJobNotifier(postgres.connect_arguments(url)))
    return _OpenedDatabase(database, inbox, IN_DATABASE, clock)


def _pictures(
    opened: _OpenedDatabase, folder: Path, options: StorageOptions
) -> FilePictures | SqlPictures | BucketPictures:
    kept_in = options.pictures or opened.pictures
    if kept_in == IN_BUCKET:
        from bot.storage.pictures.bucket_store import BucketPictures  # noqa: PLC0415 - most have none

        assert options.bucket is not None
        return BucketPictures(options.bucket, opened.database)
    return SqlPictures(opened.database) if kept_in == IN_DATABASE else FilePictures(folder, opened.database)


def _unusable(data_dir: Path, error: Exception) -> BackendDown:
    return BackendDown(f"The data directory {data_dir} can't be used: {error}")
