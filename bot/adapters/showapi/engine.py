"""The showapi back end: the hosted service ranks the images, and our ledger has what the service doesn't store."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from bot.adapters.port import Capabilities
from bot.adapters.showapi.additions import HostedImageAdder
from bot.adapters.showapi.fingerprint_matches import CopyDetector, CopyMatch
from bot.adapters.showapi.http.client import ShowApiClient
from bot.adapters.showapi.http.values import HostedMatch
from bot.adapters.showapi.names import HostedNaming, is_dedicated
from bot.adapters.showapi.orphans import HostedOrphans
from bot.adapters.showapi.pending_deletions import PendingDeletionWorker
from bot.adapters.showapi.ports import HostedDatabase, Ledger, PictureLender
from bot.domain.catalogue import NewHostedImage
from bot.domain.errors import (
    BackendDown,
    BackendError,
    BackendGarbled,
    BackendQuota,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    DatabaseExists,
)
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Caveat, Match, Matches, validate_limit
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.domain.pictures import Picture

log = logging.getLogger(__name__)

MAX_REQUESTED = 200
"""The service's greatest limit of a search, by its newer documentation. Its OpenAPI file says 1,000."""

OVERFETCH = 2
"""Factor by which a search in a dedicated upstream database requests more matches than it returns, because some may be
duplicates or deleted already."""

LISTING_DELAY = timedelta(minutes=10)
"""Age at which an image that the service doesn't list counts as lost. The service documents no delay."""

PING_CACHE_S = 60.0
"""How long a successful call counts as a health check. Each call costs money, and health checks may come every few
seconds."""

_TRANSIENT = (BackendDown, BackendTimeout, BackendThrottled, BackendQuota, BackendGarbled)


class HostedSearch:
    """Satisfies ``adapters.port.VisualSearch``.

    ``shared`` names the upstream database that holds all our databases. With None, each has an upstream database of its
    own.
    """

    def __init__(
        self,
        service: ShowApiClient,
        ledger: Ledger,
        lender: PictureLender,
        *,
        adder: HostedImageAdder,
        deletions: PendingDeletionWorker,
        orphans: HostedOrphans,
        naming: HostedNaming,
        shared: str | None,
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._lender = lender
        self._adder = adder
        self._deletions = deletions
        self._orphans = orphans
        self._naming = naming
        self._shared = shared
        self._creating = asyncio.Lock()
        self._capabilities = Capabilities("showapi", MAX_REQUESTED, deletes_single_images=True, needs_public_url=True)

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this back end."""
        return self._capabilities

    async def create_database(self, database: DatabaseKey) -> None:
        """Create an empty database. Raises DatabaseExists."""
        if database.name in await self._ledger.names(database.workspace):
            raise DatabaseExists(database.name)
        prefix = self._naming.new_prefix(database)
        upstream = self._shared or self._naming.new_upstream(database, prefix)
        async with self._creating:
            if self._shared is None or not await self._upstream_exists(upstream):
                await self._create_upstream(upstream)
        await self._ledger.create_database(database, upstream, prefix)

    async def list_databases(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        return await self._ledger.names(workspace)

    async def delete_database(self, database: DatabaseKey) -> None:
        """Delete a database and all its images permanently. The service deletes them in the background."""
        hosted = await self._ledger.database(database)
        # The name tells. The setting may have been different when the database was created.
        await self._ledger.delete_database(database, whole=is_dedicated(hosted.upstream, hosted.prefix))
        await self._ledger.after_commit(self._deletions.wake)

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture and return its data id. When this returns, the service has it. Raises PictureRefused."""
        if data_id is not None and await self._ledger.has(database, data_id):
            if await self._adder.exists(await self._ledger.database(database), data_id):
                return data_id
            await self._ledger.forget_missing(database, [data_id])
        added = await self._adder.add(database, picture, entity, note, data_id)
        await self._ledger.after_rollback(self._deletions.wake)
        return added

    async def list_images(self, database: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of the database's images. Raises InvalidInput for an invalid page token."""
        return await self._ledger.page(database, request)

    async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
        """Delete the images of an entity, or only ``data_id``. Returns how many were deleted.

        The service deletes them in the background.
        """
        deleted = await self._ledger.delete_images(database, entity, data_id)
        await self._ledger.after_commit(self._deletions.wake)
        return deleted

    async def rename_images(self, database: DatabaseKey, data_ids: Collection[DataId], entity: EntityId) -> int:
        """Give images another id. Returns how many there are. The service never learns our ids."""
        return await self._ledger.rename_images(database, data_ids, entity)

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        """Return up to ``limit`` matches, best first, without the images in ``exclude``. Raises InvalidInput.

        The service returns no more than MAX_REQUESTED matches and excludes none. With ``exclude``, copies are therefore
        also found among all images by our own fingerprints.

        While the service is unavailable, only copies are found, by our own fingerprints, and the result has a caveat.
        """
        validate_limit(limit)
        hosted = await self._ledger.database(database)
        detector = await asyncio.to_thread(CopyDetector, picture)
        size = await self._ledger.count(database)
        if not size:
            return Matches()
        dedicated = is_dedicated(hosted.upstream, hosted.prefix)
        requested = min(MAX_REQUESTED, OVERFETCH * limit) if dedicated and not exclude else MAX_REQUESTED
        try:
            found = await self._search_upstream(hosted, picture, requested)
        except _TRANSIENT as error:
            log.warning("the image search is unavailable; searching our own fingerprints instead: %s", error)
            return await self._search_copies(database, detector, limit, error, exclude)
        # The service may not list recent images yet. Our own fingerprints find copies among them.
        recent = await self._ledger.fingerprints(database, LISTING_DELAY)
        checked = await self._ledger.fingerprints(database) if exclude else recent
        copies = await asyncio.to_thread(detector.find_copies, checked)
        best = {name: copy.score for name, copy in copies.items()} | dict(found.scores)
        for name in exclude:
            best.pop(name, None)
        matches = _ranked(best, await self._ledger.images(database, best), detector)[:limit]
        caveats = []
        # In a database of its own, only excluded images can crowd out others, and the readers must not learn of those.
        if found.is_full and len(matches) < min(limit, size) and not (dedicated and exclude):
            caveats.append(Caveat.CROWDED_OUT)
        if not found.is_full and any(name not in found.scores for name, _, _ in recent):
            caveats.append(Caveat.SETTLING)
        return Matches(matches, caveats)

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """Return the data ids that the service lists, without adds that are not confirmed.

        Images younger than LISTING_DELAY are included, because the service may not list them yet.
        """
        hosted = await self._ledger.database(database)
        listed = set()
        async for row in self._service.all_images(hosted.upstream, prefix=hosted.prefix):
            listed.add(DataId(row.entity.removeprefix(hosted.prefix)))
        recent = {name for name, _, _ in await self._ledger.fingerprints(database, LISTING_DELAY)}
        return frozenset(listed) - await self._ledger.unsettled_images(database) | recent

    async def describe_orphans(self, keys: Collection[DatabaseKey]) -> tuple[str, ...]:  # noqa: ARG002 - the ledger has all
        """Return one sentence for each orphan that this installation created."""
        return await self._orphans.describe()

    async def delete_orphans(self, keys: Collection[DatabaseKey]) -> int:  # noqa: ARG002 - as above
        """Delete the orphans, and everything whose deletion is pending. Returns how many things were deleted."""
        return await self._orphans.delete() + await self._deletions.finish_all()

    async def ping(self) -> None:
        """Check that the service answers, or answered within the last minute. Raises BackendError."""
        if not self._service.succeeded_within(PING_CACHE_S):
            await self._service.databases()

    async def _upstream_exists(self, upstream: str) -> bool:
        return await self._ledger.is_upstream_used(upstream) or upstream in await self._service.databases()

    async def _create_upstream(self, name: str) -> None:
        try:
            await self._service.create_database(name)
        except BackendError as error:
            # A refusal may mean that another process created it first. The name is unique to this installation.
            if not error.may_have_been_done and not isinstance(error, BackendRefused):
                raise
            with contextlib.suppress(BackendError):
                if name in await self._service.databases():
                    return
            raise

    async def _search_upstream(self, hosted: HostedDatabase, picture: Picture, requested: int) -> _BestScores:
        if self._service.is_down:
            raise BackendDown("the circuit breaker is open: the service is down")
        url = await self._lender.lend(picture)
        return _BestScores.of(await self._service.search(hosted.upstream, url, requested), hosted.prefix, requested)

    async def _search_copies(
        self,
        database: DatabaseKey,
        detector: CopyDetector,
        limit: int,
        cause: BackendError,
        exclude: Collection[DataId],
    ) -> Matches:
        copies = await asyncio.to_thread(detector.find_copies, await self._ledger.fingerprints(database))
        for name in exclude:
            copies.pop(name, None)
        best = sorted(copies.items(), key=lambda item: (-item[1].score, item[0]))[:limit]
        images = await self._ledger.images(database, [data_id for data_id, _ in best])
        matches = [
            _match(image, copy.score, copy) for data_id, copy in best if (image := images.get(data_id)) is not None
        ]
        return Matches(matches, [Caveat.SAME_IMAGES_ONLY], cause)


@dataclass(frozen=True, slots=True)
class _BestScores:
    """The best score of each image of one database in an answer of the service.

    ``is_full`` says that the answer has as many matches as were requested, so there may be more.
    """

    scores: Mapping[DataId, float]
    is_full: bool

    @classmethod
    def of(cls, answer: Iterable[HostedMatch], prefix: str, requested: int) -> _BestScores:
        best: dict[DataId, float] = {}
        received = 0
        for match in answer:
            received += 1
            if match.entity.startswith(prefix):
                data_id = DataId(match.entity.removeprefix(prefix))
                best[data_id] = max(match.score, best.get(data_id, 0.0))
        return cls(best, received >= requested)


def _ranked(
    best: Mapping[DataId, float], images: Mapping[DataId, NewHostedImage], detector: CopyDetector
) -> list[Match]:
    """Return matches, best first, with the given scores and with verdicts from our own fingerprints."""
    copies = detector.find_copies([(image.data_id, image.digest, image.fingerprint) for image in images.values()])
    ranked = sorted(images.values(), key=lambda image: (-best[image.data_id], image.data_id))
    return [_match(image, best[image.data_id], copies.get(image.data_id)) for image in ranked]


def _match(image: NewHostedImage, score: float, copy: CopyMatch | None) -> Match:
    if copy is None:
        return Match(image.data_id, image.entity, image.note, score)
    return Match(image.data_id, image.entity, image.note, score, copy.verdict, copy.edits, aligned=True)
