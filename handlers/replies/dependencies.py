"""The dependencies of the listeners."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.adapters.port import VisualSearch
from bot.domain.jobs import HistoryPage, NewHistoryImport
from bot.services.access.overview import OverviewService
from bot.services.access.permissions import PermissionService
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.databases import DatabaseService
from bot.services.feedback.labels import FeedbackService
from bot.services.feedback.usage import UsageCounter
from bot.services.images.addition import AddService
from bot.services.images.corrections import CorrectionService
from bot.services.images.deletion import DeleteService
from bot.services.images.exporter import ExportService
from bot.services.images.listing import ListingService
from bot.services.search.copies import CopyFinder
from bot.services.search.lookup import LookupService
from bot.services.search.picture_comparison import ComparisonService
from bot.services.text.find import FindService
from bot.storage.ports.catalogue import Catalogue
from bot.storage.ports.history import HistoryImports
from bot.storage.ports.home import HomeRecords, JobOverview
from bot.storage.ports.inbox import Inbox
from bot.storage.ports.moderation import EditorSettings
from handlers.replies.delivery.thread_status import ThreadStatuses
from handlers.replies.entity_pages import EntityPages
from handlers.replies.picture_lookup import PictureFinder
from handlers.replies.presenter import AnswerPresenter
from handlers.replies.text_updates import TextUpdates
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.directory import DirectoryCache


class PublishJpeg(Protocol):
    """Publishes drawings."""

    def __call__(self, jpeg: bytes, picture: str | None = None) -> Awaitable[str]:
        """Return a URL that serves a JPEG for some minutes, or until a stored picture is deleted, given its digest.

        Raises BackendError.
        """
        ...


class PastPages(Protocol):
    """Reads a channel's history."""

    async def page(self, given: NewHistoryImport, client: AsyncWebClient) -> HistoryPage:
        """Return the first page. Raises HistoryRefused and RetryLater."""
        ...


@dataclass(frozen=True, slots=True)
class SlackDependencies:
    """Services, ports, and the helpers that talk to Slack. Without a public URL, there is no ``publish``.

    ``history_calls_per_min``: how often a history may be read if Slack doesn't limit the app more.
    """

    visual: VisualSearch
    catalogue: Catalogue
    inbox: Inbox
    home: HomeRecords
    job_overview: JobOverview
    overview: OverviewService
    lookup: LookupService
    find: FindService
    databases: DatabaseService
    additions: AddService
    copies: CopyFinder
    comparisons: ComparisonService
    listings: ListingService
    deletions: DeleteService
    corrections: CorrectionService
    exports: ExportService
    channel_settings: ChannelSettingsService
    editors: EditorSettings
    feedback: FeedbackService
    usage: UsageCounter
    permissions: PermissionService
    finder: PictureFinder
    presenter: AnswerPresenter
    directories: DirectoryCache
    uploads: ThumbnailUploads
    updates: TextUpdates
    statuses: ThreadStatuses
    history: HistoryImports
    past_pages: PastPages
    history_calls_per_min: int
    entity_pages: EntityPages
    publish: PublishJpeg | None = None
