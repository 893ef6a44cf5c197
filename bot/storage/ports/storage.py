"""The storage port: access to all other ports, and units of work across them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.feedback import Labels, Learning, UsageCounts
from bot.storage.ports.history import HistoryImports
from bot.storage.ports.home import HomeRecords
from bot.storage.ports.inbox import Inbox
from bot.storage.ports.moderation import EditorSettings, ExcludedPairs, Feedback, GuardReports, ReportActions
from bot.storage.ports.pictures import PictureStore
from bot.storage.ports.removals import DeletedDatabases, PendingRemovals
from bot.storage.ports.slack import ChannelBindings, Thumbnails
from bot.storage.ports.texts import ImageWords, PictureTexts


class Keyring(Protocol):
    """Random secrets shared by all processes that use the same database."""

    async def key(self, name: str) -> bytes:
        """Return the secret with this name: 32 random bytes, created on first use."""
        ...


class ProcessLocks(Protocol):
    """Locks that exclude all other processes with the same storage, without a transaction."""

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold a lock by name; a crash releases it. Raises BackendTimeout if another process holds it for too long."""
        ...

    def try_hold(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Hold a lock if nobody else does, and say whether it is held. A crash releases it."""
        ...


class Storage(Protocol):
    """Durable data: the ports to it, and units of work across them."""

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue."""
        ...

    @property
    def pictures(self) -> PictureStore:
        """The pictures."""
        ...

    @property
    def texts(self) -> PictureTexts:
        """The texts of stored pictures."""
        ...

    @property
    def words(self) -> ImageWords:
        """The words by which images are found."""
        ...

    @property
    def bindings(self) -> ChannelBindings:
        """The modes and databases of channels."""
        ...

    @property
    def reports(self) -> GuardReports:
        """The reports of guard channels."""
        ...

    @property
    def report_actions(self) -> ReportActions:
        """What moderators do about reports."""
        ...

    @property
    def excluded_pairs(self) -> ExcludedPairs:
        """Pairs that never match."""
        ...

    @property
    def feedback(self) -> Feedback:
        """What people said about matches."""
        ...

    @property
    def labels(self) -> Labels:
        """The labels that databases learn from."""
        ...

    @property
    def learning(self) -> Learning:
        """What databases learned from labels."""
        ...

    @property
    def usage(self) -> UsageCounts:
        """Counts of what was asked."""
        ...

    @property
    def editors(self) -> EditorSettings:
        """Who may change the settings of channels."""
        ...

    @property
    def inbox(self) -> Inbox:
        """The queue of jobs."""
        ...

    @property
    def history(self) -> HistoryImports:
        """Imports of channels' histories."""
        ...

    @property
    def home(self) -> HomeRecords:
        """What App Home shows of all databases."""
        ...

    @property
    def thumbnails(self) -> Thumbnails:
        """Pictures that the bot uploaded to Slack."""
        ...

    @property
    def deleted(self) -> DeletedDatabases:
        """Databases that were deleted and still have rows."""
        ...

    @property
    def pending_removals(self) -> PendingRemovals:
        """What still has to be removed outside SQL."""
        ...

    @property
    def keyring(self) -> Keyring:
        """Random secrets that all processes share."""
        ...

    @property
    def locks(self) -> ProcessLocks:
        """Locks that exclude other processes."""
        ...

    def unit(self) -> AbstractAsyncContextManager[None]:
        """Run all writes awaited inside in one transaction, and commit it at the end.

        Some writes are deferred to the end, so their errors may be raised there.
        """
        ...

    async def ping(self) -> None:
        """Return if the storage can be read and written. Raises BackendError."""
        ...

    async def close(self) -> None:
        """Close the database and stop the threads."""
        ...
