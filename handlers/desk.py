"""What the listeners work with, in one hand."""

from __future__ import annotations

from dataclasses import dataclass

from bot.adapters.base import VisualSearch
from bot.services.add import AddService
from bot.services.databases import DatabaseService
from bot.services.delete import DeleteService
from bot.services.listing import ListingService
from bot.services.lookup import LookupService
from bot.services.permissions import PermissionService
from bot.services.watching import WatchService
from bot.storage.base import Catalogue, Inbox
from handlers.conversations import DirectoryCache
from handlers.finding import PictureFinder
from handlers.presenting import AnswerPresenter
from handlers.uploads import ThumbnailUploads


@dataclass(frozen=True, slots=True)
class SlackDependencies:
    """The services, and what knows Slack's ways."""

    visual: VisualSearch
    catalogue: Catalogue
    inbox: Inbox
    lookup: LookupService
    databases: DatabaseService
    adding: AddService
    listing: ListingService
    deleting: DeleteService
    watching: WatchService
    permissions: PermissionService
    finder: PictureFinder
    presenter: AnswerPresenter
    directories: DirectoryCache
    uploads: ThumbnailUploads
