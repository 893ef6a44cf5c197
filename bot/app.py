"""The composition root: all that knows nothing of Slack is made here, from the settings, and closed here.

Nothing happens at import. ``bot.slack_app`` makes the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

from bot.back_ends import MEGA, BackendDependencies, new_normaliser, open_back_end
from bot.cache import new_result_cache
from bot.metrics import Metrics, NullMetrics
from bot.services.add import AddService
from bot.services.databases import DatabaseService
from bot.services.delete import DeleteService
from bot.services.export import ExportService
from bot.services.forgetting import ForgetService
from bot.services.importing import CONCURRENCY, REMOTE_CONCURRENCY, ImportService
from bot.services.listing import ListingService
from bot.services.lookup import LookupService
from bot.services.search import SearchService

# What needs the numeric libraries is imported where it is made: `vsearch --help` does not wait for them.
if TYPE_CHECKING:
    from bot.adapters.base import VisualSearch
    from bot.config import Settings
    from bot.images.fetch import Fetcher
    from bot.images.normalise import Normaliser
    from bot.storage.bucket import Bucket
    from bot.storage.sql import SqlStorage


class Overrides(TypedDict, total=False):
    """Parts that a caller brings along, such as a test's; the caller closes them."""

    storage: SqlStorage
    visual: VisualSearch
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """The house without Slack: what the command line works with."""

    settings: Settings
    storage: SqlStorage
    visual: VisualSearch
    normaliser: Normaliser
    fetcher: Fetcher
    databases: DatabaseService
    adding: AddService
    importing: ImportService
    listing: ListingService
    deleting: DeleteService
    exporting: ExportService
    search: SearchService
    lookup: LookupService
    forgetting: ForgetService


@asynccontextmanager
async def build_services(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[Services]:
    """Open storage and engine; on the way out all that was opened is closed. Raises BackendError."""
    from bot.images.fetch import Fetcher  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        storage = overrides.get("storage")
        if storage is None:
            storage = await open_storage(settings)
            stack.push_async_callback(storage.close)
        normaliser = new_normaliser(settings)
        stack.push_async_callback(normaliser.close)
        fetcher = Fetcher(
            max_bytes=settings.max_image_mb * MEGA,
            timeout_s=settings.fetch_timeout_s,
            trusted_hosts=settings.trusted_hosts,
        )
        stack.push_async_callback(fetcher.close)
        metrics = overrides.get("metrics") or NullMetrics()
        visual = overrides.get("visual")
        if visual is None:
            visual = await stack.enter_async_context(
                open_back_end(settings.backend, BackendDependencies(settings, storage, normaliser, metrics))
            )
        yield _compose(settings, storage, visual, normaliser, fetcher=fetcher, metrics=metrics)


async def open_storage(settings: Settings, *, allow_partial: bool = False) -> SqlStorage:
    """The storage that the settings name; ``allow_partial``: to finish a move to it. Raises BackendError."""
    from bot.storage.sql import SqlStorage, StorageOptions  # noqa: PLC0415

    choices = StorageOptions(
        pictures=settings.pictures,
        bucket=bucket_of(settings),
        connections=settings.database_connections,
        allow_partial=allow_partial,
    )
    return await SqlStorage.open(settings.data_dir, settings.database_url, choices)


def bucket_of(settings: Settings) -> Bucket | None:
    """The bucket that pictures are to be kept in, if they are."""
    if settings.pictures != "bucket" or settings.bucket is None:
        return None
    from bot.storage.bucket import Bucket, BucketKey  # noqa: PLC0415 - most have none

    name, _, prefix = settings.bucket.partition("/")
    key_id, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return Bucket(
        name=name,
        prefix=prefix,
        endpoint=settings.bucket_endpoint,
        region=settings.aws_region,
        key=BucketKey(key_id, secret, settings.aws_session_token) if key_id and secret else None,
    )


def _compose(
    settings: Settings,
    storage: SqlStorage,
    visual: VisualSearch,
    normaliser: Normaliser,
    *,
    fetcher: Fetcher,
    metrics: Metrics,
) -> Services:
    catalogue = storage.catalogue
    recent = new_result_cache(settings.cache_ttl_s, settings.cache_size, metrics)
    search = SearchService(visual, catalogue, recent, metrics)
    adding = AddService(visual, storage, metrics=metrics)
    listing = ListingService(catalogue)
    databases, deleting = DatabaseService(visual, storage), DeleteService(visual, storage)
    return Services(
        settings=settings,
        storage=storage,
        visual=visual,
        normaliser=normaliser,
        fetcher=fetcher,
        databases=databases,
        adding=adding,
        importing=ImportService(
            catalogue,
            adding,
            normaliser,
            # Where each add is a call, more of them under way bring nothing but a longer wait at the end.
            concurrency=REMOTE_CONCURRENCY if visual.capabilities.needs_public_url else CONCURRENCY,
            max_bytes=settings.max_image_mb * MEGA,
        ),
        listing=listing,
        deleting=deleting,
        exporting=ExportService(storage, listing),
        search=search,
        lookup=LookupService(search, catalogue),
        forgetting=ForgetService(visual, storage, deleting, databases),
    )
