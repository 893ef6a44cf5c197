"""Open the storage: a SQLite file and a folder of pictures, or PostgreSQL.

Methods import what most processes don't need: the modules for pgvector and for transfers take 170 ms to load, with
psycopg; the module for installations takes 40 ms, with slack_sdk and cryptography.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bot.domain.errors import BackendError
from bot.storage.catalogue.api_image_urls import SqlApiImages
from bot.storage.catalogue.catalogue import SqlCatalogue
from bot.storage.catalogue.deleted_databases import purge_catalogue, remaining_images
from bot.storage.catalogue.texts.image_words import SqlImageWords
from bot.storage.catalogue.texts.picture_texts import SqlPictureTexts
from bot.storage.database_list import ChooseWorkspace, ListedDatabase, read_databases
from bot.storage.hosted.deleted_databases import purge_ledger
from bot.storage.hosted.ledger import SqlLedger
from bot.storage.hosted.pending_deletions import SqlPendingDeletions
from bot.storage.inbox.activity import SqlJobOverview
from bot.storage.inbox.inbox import SqlInbox
from bot.storage.opened_database import CONNECTIONS, OpenedDatabase, open_postgres, open_sqlite, unusable
from bot.storage.pictures.bucket import Bucket
from bot.storage.pictures.bucket_store import BucketPictures
from bot.storage.pictures.file_store import FilePictures
from bot.storage.pictures.relayed import SqlRelayedPictures
from bot.storage.pictures.sql_store import SqlPictures
from bot.storage.removals.deleted_databases import SqlDeletedDatabases
from bot.storage.removals.pending import SqlPendingRemovals
from bot.storage.slack.channel_settings import SqlChannelBindings
from bot.storage.slack.feedback.labels import SqlLabels
from bot.storage.slack.feedback.learning import SqlLearning
from bot.storage.slack.feedback.usage import SqlUsageCounts
from bot.storage.slack.history_imports import SqlHistoryImports
from bot.storage.slack.home import SqlHome
from bot.storage.slack.moderation.actions import SqlReportActions
from bot.storage.slack.moderation.editors import SqlSettingsEditors
from bot.storage.slack.moderation.pairs import SqlExcludedPairs, SqlFeedback
from bot.storage.slack.moderation.reports import SqlGuardReports
from bot.storage.slack.oauth_states import SignedOAuthStates
from bot.storage.slack.uploads import SqlThumbnails
from bot.storage.sql import postgres
from bot.storage.sql.keyring import SqlKeyring
from bot.storage.sql.locks.processes import ProcessLocks
from bot.storage.transfer.log import refuse_partial_transfer
from bot.storage.transfer.source import TransferSource
from bot.storage.vectors.deleted_databases import purge_vectors
from bot.storage.vectors.store import SqlVectorStore

if TYPE_CHECKING:
    from bot.storage.slack.installations import SqlInstallations
    from bot.storage.transfer.transfer import SqlTransfer
    from bot.storage.vectors.milvus import MilvusVectorStore
    from bot.storage.vectors.milvus_queue import SqlMilvusQueue
    from bot.storage.vectors.pgvector import PgvectorVectorStore
    from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance

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

    def __init__(self, opened: OpenedDatabase, pictures: FilePictures | SqlPictures | BucketPictures) -> None:
        self._opened = opened
        database = self._database = opened.database
        self._pictures = pictures
        self._clock = opened.clock
        self._catalogue = SqlCatalogue(database, opened.clock)
        self._bindings = SqlChannelBindings(database)
        self._inbox = opened.inbox
        self._thumbnails = SqlThumbnails(database, opened.clock)
        self._keyring = SqlKeyring(database)
        self._locks = opened.locks
        self._vectors = SqlVectorStore(database)
        self._words = SqlImageWords(database)
        self._ledger = SqlLedger(database, opened.clock)
        self._pending_deletions = SqlPendingDeletions(database, opened.clock)
        self._relayed = SqlRelayedPictures(database, opened.clock)
        self._deleted = _deleted_databases(opened)

    @classmethod
    async def open(
        cls, data_dir: Path, database_url: str | None = None, options: StorageOptions = DEFAULT_OPTIONS
    ) -> Self:
        """Open the storage, create it if there is none, and migrate its tables to the newest revision.

        Without ``database_url``, the database is a SQLite file in ``data_dir``. Raises BackendError, also if a transfer
        to this database is unfinished and ``options.allow_partial`` is not set.
        """
        if postgres.is_address(database_url):
            opened = await asyncio.to_thread(open_postgres, str(database_url), options.connections)
        else:
            opened = await asyncio.to_thread(open_sqlite, data_dir, database_url)
        pictures = _pictures(opened, data_dir / "pictures", options)
        try:
            if not options.allow_partial:
                await opened.database.read(refuse_partial_transfer)
            await SqlPendingRemovals(opened.database, opened.clock).release_abandoned(opened.processes.is_alone)
            await pictures.open()
        except BackendError:
            await opened.close()
            raise
        except OSError as error:
            await opened.close()
            raise unusable(data_dir, error) from error
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
    def reports(self) -> SqlGuardReports:
        """The reports of guard channels."""
        return SqlGuardReports(self._database, self._clock)

    @property
    def report_actions(self) -> SqlReportActions:
        """What moderators do about reports."""
        return SqlReportActions(self._database, self._clock)

    @property
    def excluded_pairs(self) -> SqlExcludedPairs:
        """Pairs that never match."""
        return SqlExcludedPairs(self._database)

    @property
    def feedback(self) -> SqlFeedback:
        """What people said about matches."""
        return SqlFeedback(self._database, self._clock)

    @property
    def labels(self) -> SqlLabels:
        """The labels that databases learn from."""
        return SqlLabels(self._database)

    @property
    def learning(self) -> SqlLearning:
        """What databases learned from labels."""
        return SqlLearning(self._database, self._clock)

    @property
    def usage(self) -> SqlUsageCounts:
        """Counts of what was asked."""
        return SqlUsageCounts(self._database)

    @property
    def editors(self) -> SqlSettingsEditors:
        """Who may change the settings of channels."""
        return SqlSettingsEditors(self._database, self._clock)

    @property
    def inbox(self) -> SqlInbox:
        """The queue of jobs."""
        return self._inbox

    @property
    def home(self) -> SqlHome:
        """What App Home shows of all databases."""
        return SqlHome(self._database, self._clock)

    @property
    def job_overview(self) -> SqlJobOverview:
        """What waits or failed."""
        return SqlJobOverview(self._database)

    @property
    def history(self) -> SqlHistoryImports:
        """Imports of channels' histories."""
        return SqlHistoryImports(self._database, self._clock)

    @property
    def thumbnails(self) -> SqlThumbnails:
        """Pictures that the bot uploaded to Slack."""
        return self._thumbnails

    @property
    def locks(self) -> ProcessLocks:
        """Locks that exclude other processes."""
        return self._locks

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
    def deleted(self) -> SqlDeletedDatabases:
        """Databases that were deleted and still have rows."""
        return self._deleted

    @property
    def pending_removals(self) -> SqlPendingRemovals:
        """What still has to be removed outside SQL."""
        return SqlPendingRemovals(self._database, self._clock)

    @property
    def texts(self) -> SqlPictureTexts:
        """The texts of stored pictures."""
        return SqlPictureTexts(self._database, self._clock)

    @property
    def words(self) -> SqlImageWords:
        """The words by which images are found."""
        return self._words

    @property
    def api_images(self) -> SqlApiImages:
        """The URLs of images that were added through our own API server."""
        return SqlApiImages(self._database)

    async def list_databases(self, choose: ChooseWorkspace) -> tuple[ListedDatabase, ...]:
        """Return the databases of the workspace that ``choose`` picks among those that there are, by name."""
        return await self._database.read(lambda connection: read_databases(connection, choose))

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

    async def open_milvus(self) -> tuple[MilvusVectorStore, SqlMilvusQueue]:
        """Open the store and the queue of the Milvus back end; create its tables if needed. Raises BackendError."""
        from bot.storage.vectors.milvus import MilvusVectorStore  # noqa: PLC0415 - only for this back end

        queue = self.milvus_queue()
        await queue.open()
        return MilvusVectorStore(self._database), queue

    def milvus_queue(self) -> SqlMilvusQueue:
        """Return the queue of changes for Milvus, which may not have been created."""
        from bot.storage.vectors.milvus_queue import SqlMilvusQueue  # noqa: PLC0415 - only for this back end

        return SqlMilvusQueue(self._database, self._clock)

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

    async def oauth_states(self) -> SignedOAuthStates:
        """Return Bolt's store of OAuth states. The first call ever creates the key that signs them."""
        return SignedOAuthStates(self._database, await self._keyring.key("oauth_states"), clock=self._clock)

    def unit(self) -> AbstractAsyncContextManager[None]:
        """Run all writes awaited inside in one transaction, and commit it at the end.

        Some writes are deferred to the end, so their errors may be raised there.
        """
        return self._database.unit()

    async def ping(self) -> None:
        """Return if the storage can be read, and written as far as that shows without a write. Raises BackendError."""
        await self._database.check()

    async def close(self) -> None:
        """Close the database and stop the threads."""
        await self._pictures.close()
        await self._locks.close()
        await self._opened.close()


def _pictures(
    opened: OpenedDatabase, folder: Path, options: StorageOptions
) -> FilePictures | SqlPictures | BucketPictures:
    place = options.pictures or (IN_FILES if opened.is_local else IN_DATABASE)
    if place == IN_BUCKET:
        assert options.bucket is not None
        return BucketPictures(options.bucket, opened.database, clock=opened.clock)
    if place == IN_DATABASE:
        return SqlPictures(opened.database, opened.clock)
    return FilePictures(folder, opened.database, opened.clock)


def _deleted_databases(opened: OpenedDatabase) -> SqlDeletedDatabases:
    purges = (
        purge_vectors,
        lambda connection, limit: purge_ledger(connection, limit, opened.clock()),
        lambda connection, limit: purge_catalogue(connection, limit, opened.clock()),
    )
    return SqlDeletedDatabases(opened.database, purges, remaining_images)
