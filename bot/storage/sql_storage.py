"""Open the storage: a SQLite file and a folder of pictures, or PostgreSQL.

Methods import what most processes don't need: the modules for pgvector and for transfers take 170 ms to load, with
psycopg; the module for installations takes 40 ms, with slack_sdk and cryptography.
"""

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
from bot.storage.pictures.bucket import Bucket
from bot.storage.pictures.bucket_store import BucketPictures
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
from bot.storage.transfer.source import TransferSource
from bot.storage.vectors.embedded import SqlVectorStore

if TYPE_CHECKING:
    from bot.storage.slack.installations import SqlInstallations, SqlOAuthStates
    from bot.storage.transfer.transfer import SqlTransfer
    from bot.storage.vectors.pgvector import PgvectorVectorStore
    from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance

READERS = 4
CONNECTIONS = 8
"""Maximum connections to PostgreSQL. Half of them are for writers."""

IN_FILES, IN_DATABASE, IN_BUCKET = "files", "database", "bucket"
"""Where pictures are stored: values of ``StorageOptions.pictures``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageOptions:
    """Storage settings.

    ``pictures`` is IN_FILES, IN_DATABASE or IN_BUCKET; None means files with SQLite, the database with PostgreSQL.
    IN_BUCKET needs ``bucket``.
    """

    pictures: str | None = None
    bucket: Bucket | None = None
    connections: int = CONNECTIONS
    allow_partial: bool = False
    """Open the storage although a transfer to it is unfinished. The transfer itself needs this to continue."""


DEFAULT_OPTIONS = StorageOptions()


class SqlStorage:
    """Implements ``ports.storage.Storage``.

    ``vectors`` is the store of the embedded engine, ``ledger`` that of the hosted service's back end.
    """

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
        """Open the storage, create it if there is none, and migrate its tables to the newest revision.

        Without ``database_url``, the database is a SQLite file in ``data_dir``. Raises BackendError, also if a transfer
        to this database is unfinished and ``options.allow_partial`` is not set.
        """
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
        """The catalogue."""
        return self._catalogue

    @property
    def pictures(self) -> FilePictures | SqlPictures | BucketPictures:
        """The pictures."""
        return self._pictures

    @property
    def bindings(self) -> SqlChannelBindings:
        """The modes and databases of channels."""
        return self._bindings

    @property
    def inbox(self) -> SqlInbox:
        """The queue of jobs."""
        return self._inbox

    @property
    def thumbnails(self) -> SqlThumbnails:
        """Pictures that the bot uploaded to Slack."""
        return self._thumbnails

    @property
    def keyring(self) -> SqlKeyring:
        """Random secrets that all processes share."""
        return self._keyring

    @property
    def vectors(self) -> SqlVectorStore:
        """The vectors of the embedded engine."""
        return self._vectors

    @property
    def ledger(self) -> SqlLedger:
        """The record of what was sent to the hosted service."""
        return self._ledger

    @property
    def pending_deletions(self) -> SqlPendingDeletions:
        """Deletions that still have to be made at the hosted service."""
        return self._pending_deletions

    @property
    def relayed(self) -> SqlRelayedPictures:
        """Pictures lent to the hosted service for a few minutes."""
        return self._relayed

    @property
    def api_images(self) -> SqlApiImages:
        """The URLs of images that were added through our own API server."""
        return SqlApiImages(self._database)

    async def open_pgvector(self) -> tuple[PgvectorVectorStore, PgvectorMaintenance]:
        """Open the pgvector store, and create and fill its table if needed. Raises BackendError."""
        from bot.storage.vectors.pgvector import PgvectorVectorStore  # noqa: PLC0415 - psycopg
        from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance  # noqa: PLC0415 - psycopg

        maintenance = PgvectorMaintenance(self._database)
        await maintenance.open()
        return PgvectorVectorStore(self._database), maintenance

    async def drop_pgvector(self) -> None:
        """Drop pgvector's table. The vectors that it was derived from stay."""
        from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance  # noqa: PLC0415 - psycopg

        await PgvectorMaintenance(self._database).drop_table()

    def transfer_from(self, source: TransferSource, *, for_pgvector: bool) -> SqlTransfer:
        """Return a transfer of all rows from ``source`` to this storage.

        With ``for_pgvector``, the transfer fills pgvector's table as well.
        """
        from bot.storage.transfer.transfer import SqlTransfer  # noqa: PLC0415 - psycopg
        from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance  # noqa: PLC0415 - psycopg

        return SqlTransfer(
            source, self._database, self._clock, PgvectorMaintenance(self._database) if for_pgvector else None
        )

    def installations(self, secret: str) -> SqlInstallations:
        """Return Bolt's installation store. Tokens are encrypted with a key derived from ``secret``."""
        from bot.storage.slack.installations import SqlInstallations  # noqa: PLC0415 - slack_sdk
        from bot.storage.slack.token_encryption import TokenCipher  # noqa: PLC0415 - cryptography

        return SqlInstallations(self._database, TokenCipher(secret))

    def oauth_states(self) -> SqlOAuthStates:
        """Return Bolt's store of OAuth states."""
        from bot.storage.slack.installations import SqlOAuthStates  # noqa: PLC0415 - slack_sdk

        return SqlOAuthStates(self._database)

    def unit(self) -> AbstractAsyncContextManager[None]:
        """Run all writes awaited inside in one transaction, and commit it at the end.

        Some writes are deferred to the end, so their errors may be raised there.
        """
        return self._database.unit()

    async def ping(self) -> None:
        """Return if the storage can be read and written. Raises BackendError."""
        # A write transaction, because it fails if the file is read-only or the write lock is not available.
        await self._database.write(lambda connection: connection.execute(text("SELECT 1")).scalar())

    async def close(self) -> None:
        """Close the database and stop the threads."""
        await self._pictures.close()
        await self._database.close()


@dataclass(frozen=True, slots=True)
class _OpenedDatabase:
    """An open database with the parts that depend on its kind."""

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
    except UnicodeError as error:
        # The driver encodes host names as IDNA: an empty label, or one of over 63 characters, is none.
        engine.dispose()
        raise BackendDown("DATABASE_URL has an invalid host name. Check its spelling.") from error
    writers = max(options.connections // 2, 1)
    database = Database(engine, max(options.connections - writers, 1), postgres.dialect(writers))
    inbox = SqlInbox(database, NullWorkerRegistry(), clock, PostgresJobNotifier(postgres.connect_arguments(url)))
    return _OpenedDatabase(database, inbox, IN_DATABASE, clock)


def _pictures(
    opened: _OpenedDatabase, folder: Path, options: StorageOptions
) -> FilePictures | SqlPictures | BucketPictures:
    place = options.pictures or opened.pictures
    if place == IN_BUCKET:
        assert options.bucket is not None
        return BucketPictures(options.bucket, opened.database)
    return SqlPictures(opened.database) if place == IN_DATABASE else FilePictures(folder, opened.database)


def _unusable(data_dir: Path, error: Exception) -> BackendDown:
    return BackendDown(f"The data directory {data_dir} can't be used: {error}")
