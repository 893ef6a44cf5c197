"""Builds what the Slack listeners and jobs depend on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bot.app.back_ends.dependencies import MEGA
from bot.app.services import Services
from bot.config.settings import Settings
from bot.images.fetch.slack_files import SlackFiles
from bot.images.thumbnails import ThumbnailStore
from bot.media.links import EntityClaim, MediaLinks
from bot.media.relay import TemporaryPictures
from bot.services.access.entity_views import EntityView, EntityViewService
from bot.services.access.overview import OverviewService
from bot.services.access.permissions import PermissionService
from bot.services.access.privacy import PrivacyService
from bot.services.channels.channel_settings import ChannelSettingsService
from bot.services.images.importer import ImportService
from bot.services.search.search import SearchService
from bot.storage.ports.storage import Storage
from bot.telemetry.metrics import Metrics
from bot.telemetry.prometheus import PrometheusMetrics
from handlers.errors import ListenerWrapper
from handlers.history.reading import HistoryReader
from handlers.inbox.picture_sightings import PictureSightings
from handlers.jobs.import_pictures import SaveFile
from handlers.replies.delivery.thread_status import ThreadStatuses
from handlers.replies.dependencies import SlackDependencies
from handlers.replies.entity_pages import EntityPages
from handlers.replies.picture_lookup import PictureFinder
from handlers.replies.presenter import AnswerPresenter
from handlers.replies.text_updates import TextUpdates
from handlers.replies.uploads import ThumbnailUploads
from handlers.slack.clients import Clients
from handlers.slack.directory import DirectoryCache
from handlers.slack.files import HoldMemory, PictureReader, SharedFileReader


@dataclass(frozen=True, slots=True)
class SlackInfrastructure:
    """What listeners and jobs share, besides ``SlackDependencies``."""

    storage: Storage
    search: SearchService
    files: SharedFileReader
    save: SaveFile
    fetch: Callable[[str], Awaitable[bytes]]
    max_image_bytes: int
    hold_memory: HoldMemory
    imports: ImportService
    pictures: PictureReader
    clients: Clients
    metrics: Metrics
    wrapper: ListenerWrapper
    sightings: PictureSightings


async def build_infrastructure(
    stack: AsyncExitStack, settings: Settings, services: Services, clients: Clients, metrics: PrometheusMetrics
) -> SlackInfrastructure:
    """Build what listeners and jobs share. ``stack`` closes it."""
    max_bytes = settings.max_image_mb * MEGA
    slack_files = SlackFiles(
        max_bytes=max_bytes, timeout_s=settings.fetch_timeout_s, slack_api_url=settings.slack_api_url
    )
    stack.push_async_callback(slack_files.close)
    return SlackInfrastructure(
        storage=services.storage,
        search=services.search,
        save=slack_files.save,
        fetch=services.fetcher.fetch,
        max_image_bytes=max_bytes,
        hold_memory=services.downloads.hold,
        imports=services.imports,
        files=SharedFileReader(
            slack_files.download,
            max_bytes=max_bytes,
            hold_memory=services.downloads.hold,
            fetch=services.fetcher.fetch,
        ),
        pictures=services.normaliser,
        clients=clients,
        metrics=metrics,
        wrapper=ListenerWrapper(),
        sightings=PictureSightings(sees_all=settings.runs_jobs and not settings.database_url),
    )


def thumbnails(services: Services) -> ThumbnailStore:
    """Build the store of small pictures."""
    return ThumbnailStore(services.storage.pictures, services.normaliser.run)


def build_dependencies(
    settings: Settings, services: Services, infrastructure: SlackInfrastructure, links: MediaLinks | None
) -> SlackDependencies:
    """Build what listeners and composers of answers use. ``links``: None without a public address."""
    storage = services.storage
    uploads, directories = ThumbnailUploads(storage.thumbnails, thumbnails(services)), DirectoryCache()
    guests_see_imports = settings.guests_see == "imports"
    privacy = PrivacyService(storage.catalogue, guests_see_imports=guests_see_imports)
    return SlackDependencies(
        visual=services.visual,
        catalogue=storage.catalogue,
        inbox=storage.inbox,
        home=storage.home,
        job_overview=storage.job_overview,
        overview=OverviewService(
            storage.home,
            privacy,
            guests_see_imports=guests_see_imports,
            reads_texts=services.text_reader.is_available,
        ),
        lookup=services.lookup,
        find=services.find,
        databases=services.databases,
        additions=services.additions,
        copies=services.copies,
        comparisons=services.comparisons,
        listings=services.listings,
        deletions=services.deletions,
        corrections=services.corrections,
        exports=services.exports,
        channel_settings=ChannelSettingsService(storage.bindings, storage.catalogue),
        editors=storage.editors,
        feedback=services.feedback,
        usage=services.usage,
        permissions=PermissionService(frozenset(settings.admins)),
        finder=PictureFinder(
            services.lookup,
            infrastructure.files,
            infrastructure.pictures,
            storage.inbox,
            infrastructure.sightings,
            stored=storage.pictures,
            hold_memory=services.downloads.hold,
        ),
        presenter=AnswerPresenter(privacy, directories, storage.catalogue, uploads, links.url if links else None),
        directories=directories,
        uploads=uploads,
        updates=TextUpdates(),
        statuses=ThreadStatuses(),
        publish=TemporaryPictures(storage.relayed, links).publish if links else None,
        history=storage.history,
        past_pages=HistoryReader(directories),
        history_calls_per_min=settings.history_calls_per_min,
        entity_pages=EntityPages(EntityViewService(storage.catalogue, privacy), directories, links),
    )


def view_of(dependencies: SlackDependencies, clients: Clients) -> Callable[[EntityClaim], Awaitable[EntityView | None]]:
    """Return what says what the page of a link may show now."""

    async def view(claim: EntityClaim) -> EntityView | None:
        workspace = claim.database.workspace
        client = await clients.client(workspace, "")
        if client is None:
            # Its organisation may have installed the app.
            connected = dict(await dependencies.catalogue.connected())
            client = await clients.client(workspace, connected.get(workspace, ""))
        return None if client is None else await dependencies.entity_pages.view(claim, client)

    return view
