"""Composes the services, which know nothing of Slack: storage, search back end and everything built on them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict, Unpack

from bot.adapters.port import VisualSearch
from bot.app.back_ends.dependencies import MEGA, BackendDependencies, new_download_memory, new_normaliser
from bot.app.back_ends.registry import open_back_end
from bot.app.storage import open_storage
from bot.config.settings import Settings
from bot.domain.identifiers import DatabaseKey
from bot.domain.pictures import Picture
from bot.images.decode.normaliser import Normaliser, decode_stored
from bot.images.fetch.fetcher import Fetcher
from bot.images.memory import DownloadMemory
from bot.images.text.rapid_ocr import open_text_reader
from bot.images.text.reader import TextReader
from bot.services.channels.history_pace import PastWork
from bot.services.databases import DatabaseService
from bot.services.feedback.labels import FeedbackService
from bot.services.feedback.usage import UsageCounter
from bot.services.images.addition import AddService
from bot.services.images.corrections import CorrectionService
from bot.services.images.deletion import DeleteService
from bot.services.images.exporter import ExportService
from bot.services.images.importer import CONCURRENCY, REMOTE_CONCURRENCY, ImportService
from bot.services.images.listing import ListingService
from bot.services.maintenance.point_completion import BackgroundPoints
from bot.services.maintenance.reconciliation import ReconcileService
from bot.services.maintenance.removal import RemovalService
from bot.services.search.copies import CopyFinder
from bot.services.search.exclusions import Exclusions
from bot.services.search.learned_scores import LearnedScoreAdjustment
from bot.services.search.lookup import LookupService, RequestText
from bot.services.search.picture_comparison import ComparisonService
from bot.services.search.result_cache import new_result_cache
from bot.services.search.search import SearchService
from bot.services.text.background_reading import BackgroundReading
from bot.services.text.find import FindService
from bot.services.text.query_texts import PendingText, QueryTexts
from bot.services.text.ranker import NullTextRanker, StoredTextRanker
from bot.storage.sql_storage import SqlStorage
from bot.telemetry.metrics import Metrics, NullMetrics

PAST_WORK_ALONE_S = 3.0
"""Seconds after a lookup from which on past pictures are added before their points are computed."""


class Overrides(TypedDict, total=False):
    """Dependencies that the caller provides instead, such as a test's fakes; the caller closes them."""

    storage: SqlStorage
    visual: VisualSearch
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Services:
    """All services and what they are built on; everything except Slack."""

    settings: Settings
    storage: SqlStorage
    visual: VisualSearch
    normaliser: Normaliser
    fetcher: Fetcher
    downloads: DownloadMemory
    databases: DatabaseService
    additions: AddService
    imports: ImportService
    listings: ListingService
    deletions: DeleteService
    corrections: CorrectionService
    exports: ExportService
    feedback: FeedbackService
    usage: UsageCounter
    search: SearchService
    copies: CopyFinder
    comparisons: ComparisonService
    lookup: LookupService
    removal: RemovalService
    reconciliation: ReconcileService
    text_reader: TextReader
    query_texts: QueryTexts
    find: FindService
    text_reading: BackgroundReading
    points: BackgroundPoints
    request_text: RequestText
    past_work: PastWork

    async def read_query_text(self, key: DatabaseKey, picture: Picture) -> None:
        """Wait for a query's text before its search, if it could change anything."""
        if pending := await self.request_text(key, picture):
            await pending.wait()


async def unused_api_databases(settings: Settings, storage: SqlStorage) -> tuple[DatabaseKey, ...]:
    """Return the databases of API keys that are not in VSEARCH_API_KEYS any more. Raises BackendError."""
    from bot.api.keys import workspace_of  # noqa: PLC0415 - loads the API server

    known = {workspace_of(key) for key in settings.api_keys}
    return tuple(key for key in await storage.api_images.databases() if key.workspace not in known)


@asynccontextmanager
async def build_services(settings: Settings, **overrides: Unpack[Overrides]) -> AsyncIterator[Services]:
    """Open storage and back end and build the services; close everything on exit.

    Raises SettingsError and BackendError.
    """
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
        reader = open_text_reader(enabled=settings.read_text == "on")
        stack.push_async_callback(reader.close)
        queries = QueryTexts(reader)
        stack.push_async_callback(queries.close)
        services = _compose(
            settings, storage, visual, normaliser, fetcher=fetcher, metrics=metrics, reader=reader, queries=queries
        )
        stack.push_async_callback(services.usage.close)
        yield services


def _compose(
    settings: Settings,
    storage: SqlStorage,
    visual: VisualSearch,
    normaliser: Normaliser,
    *,
    fetcher: Fetcher,
    metrics: Metrics,
    reader: TextReader,
    queries: QueryTexts,
) -> Services:
    catalogue = storage.catalogue
    recent = new_result_cache(settings.cache_ttl_s, settings.cache_size, metrics)
    downloads = new_download_memory(settings)
    ranker = StoredTextRanker(storage.texts, queries)
    search = SearchService(
        visual,
        catalogue,
        recent,
        metrics,
        ranker if reader.is_available else NullTextRanker(),
        exclusions=Exclusions(storage.excluded_pairs),
        adjustment=LearnedScoreAdjustment(storage.learning),
    )
    request_text = _request_text(ranker, queries, reader)
    lookup = LookupService(search, catalogue, request_text)
    additions = AddService(visual, storage, metrics=metrics)
    listings = ListingService(catalogue)
    databases, deletions = DatabaseService(visual, storage), DeleteService(visual, storage)
    corrections = CorrectionService(visual, storage)
    past_work = PastWork()

    def is_busy() -> bool:
        # Beside lookups, points don't wait for past pictures: each lookup would compute those that it needs.
        adds_past = past_work.running > 0 and lookup.idle_s > PAST_WORK_ALONE_S
        return lookup.is_busy or queries.is_busy or adds_past

    return Services(
        settings=settings,
        storage=storage,
        visual=visual,
        normaliser=normaliser,
        fetcher=fetcher,
        downloads=downloads,
        databases=databases,
        additions=additions,
        imports=ImportService(
            catalogue,
            additions,
            normaliser,
            # A remote back end limits its rate of calls, so more concurrent adds would only wait longer.
            concurrency=REMOTE_CONCURRENCY if visual.capabilities.needs_public_url else CONCURRENCY,
            max_bytes=settings.max_image_mb * MEGA,
            hold_memory=downloads.hold,
            corrections=corrections,
        ),
        listings=listings,
        deletions=deletions,
        corrections=corrections,
        exports=ExportService(storage, listings),
        feedback=FeedbackService(storage),
        usage=UsageCounter(storage.usage),
        search=search,
        copies=CopyFinder(search),
        comparisons=ComparisonService(normaliser),
        lookup=lookup,
        removal=RemovalService(visual, storage, deletions, databases),
        reconciliation=ReconcileService(storage, visual, decode_stored),
        text_reader=reader,
        query_texts=queries,
        find=FindService(storage.words, storage.texts, catalogue),
        text_reading=BackgroundReading(storage, reader, decode_stored, is_busy, metrics),
        points=BackgroundPoints(visual, is_busy, lambda: lookup.idle_s < PAST_WORK_ALONE_S),
        request_text=request_text,
        past_work=past_work,
    )


def _request_text(ranker: StoredTextRanker, queries: QueryTexts, reader: TextReader) -> RequestText:
    """Return a function that begins to read a query's text if that could change anything."""

    async def request(key: DatabaseKey, picture: Picture) -> PendingText | None:
        needs_text = reader.is_available and await ranker.needs_text(key, picture)
        return queries.request(picture) if needs_text else None

    return request
