"""The hosted service as a back end: it ranks, and all that it does not keep is in our ledger."""

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
"""The most that a search gives, by the service's newer documentation; the OpenAPI file says 1,000."""

OVERFETCH = 2
"""In a database of our own: so many times the matches asked for, since some may be doubles or deleted already."""

LISTING_DELAY = timedelta(minutes=10)
"""How soon the service shows what it took is documented nowhere; by then it does, or has lost it."""

PING_CACHE_S = 60.0
"""Calls cost money: whoever looks every few seconds whether all is well is told what was seen last."""

_TRANSIENT = (BackendDown, BackendTimeout, BackendThrottled, BackendQuota, BackendGarbled)


class HostedSearch:
    """Satisfies ``adapters.port.VisualSearch``. ``shared``: the service's database in which all of ours are."""

    def __init__(
        self,
        service: ShowApiClient,
        ledger: Ledger,
        lender: PictureLender,
        *,
        adder: HostedImageAdder,
        upkeep: PendingDeletionWorker,
        orphans: HostedOrphans,
        naming: HostedNaming,
        shared: str | None,
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._lender = lender
        self._adder = adder
        self._upkeep = upkeep
        self._orphans = orphans
        self._naming = naming
        self._shared = shared
        self._creating = asyncio.Lock()
        self._capabilities = Capabilities("showapi", MAX_REQUESTED, deletes_single_images=True, needs_public_url=True)

    @property
    def capabilities(self) -> Capabilities:
        """What this back end can do."""
        return self._capabilities

    async def create_database(self, database: DatabaseKey) -> None:
        """Make an empty database. Raises DatabaseExists."""
        if database.name in await self._ledger.names(database.workspace):
            raise DatabaseExists(database.name)
        prefix = self._naming.new_prefix(database)
        upstream = self._shared or self._naming.new_upstream(database, prefix)
        async with self._creating:
            if self._shared is None or not await self._upstream_exists(upstream):
                await self._create_upstream(upstream)
        await self._ledger.create_database(database, upstream, prefix)

    async def list_databases(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """The workspace's databases, by name."""
        return await self._ledger.names(workspace)

    async def delete_database(self, database: DatabaseKey) -> None:
        """Forget a database and all its images; can't be undone. The service follows as soon as it can."""
        where = await self._ledger.database(database)
        # By its name: the setting may have been another when the database was made.
        await self._ledger.delete_database(database, whole=is_dedicated(where.upstream, where.prefix))
        await self._ledger.after_commit(self._upkeep.wake)

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture; when this returns, the service has it. Raises PictureRefused."""
        if data_id is not None and await self._ledger.has(database, data_id):
            if await self._adder.exists(await self._ledger.database(database), data_id):
                return data_id
            await self._ledger.forget_missing(database, [data_id])
        added = await self._adder.add(database, picture, entity, note, data_id)
        await self._ledger.after_rollback(self._upkeep.wake)
        return added

    async def list_images(self, database: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """A page of the database's images. Raises InvalidInput for a token that is not one of ours."""
        return await self._ledger.page(database, request)

    async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
        """Delete the entity's images, or the one named; how many went. The service follows as soon as it can."""
        gone = await self._ledger.delete_images(database, entity, data_id)
        await self._ledger.after_commit(self._upkeep.wake)
        return gone

    async def search(self, database: DatabaseKey, picture: Picture, limit: int = 10) -> Matches:
        """The most alike images, best first; copies alone, with a caveat, while the service can't be asked."""
        validate_limit(limit)
        where = await self._ledger.database(database)
        detector = await asyncio.to_thread(CopyDetector, picture)
        size = await self._ledger.count(database)
        if not size:
            return Matches()
        asked = min(MAX_REQUESTED, OVERFETCH * limit) if is_dedicated(where.upstream, where.prefix) else MAX_REQUESTED
        try:
            found = await self._search_upstream(where, picture, asked)
        except _TRANSIENT as error:
            log.warning("the image search can't be asked; our own fingerprints answer: %s", error)
            return await self._search_copies(database, detector, limit, error)
        # The service may not show yet what it was given a moment ago; copies of it are known all the same.
        young = await self._ledger.fingerprints(database, LISTING_DELAY)
        copies = await asyncio.to_thread(detector.find_copies, young)
        best = {name: copy.score for name, copy in copies.items()} | dict(found.scores)
        matches = _ranked(best, await self._ledger.images(database, best), detector)[:limit]
        caveats = []
        if found.is_full and len(matches) < min(limit, size):
            caveats.append(Caveat.CROWDED_OUT)
        if not found.is_full and any(name not in found.scores for name, _, _ in young):
            caveats.append(Caveat.SETTLING)
        return Matches(matches, caveats)

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """What the service lists, without adds that are not over; and what it was given too lately to be missed."""
        where = await self._ledger.database(database)
        names = set()
        async for row in self._service.all_images(where.upstream, prefix=where.prefix):
            names.add(DataId(row.entity.removeprefix(where.prefix)))
        young = {name for name, _, _ in await self._ledger.fingerprints(database, LISTING_DELAY)}
        return frozenset(names) - await self._ledger.unsettled_images(database) | young

    async def describe_orphans(self, keys: Collection[DatabaseKey]) -> tuple[str, ...]:  # noqa: ARG002 - the ledger has all
        """A sentence for each thing there that we made and that belongs to nobody."""
        return await self._orphans.describe()

    async def delete_orphans(self, keys: Collection[DatabaseKey]) -> int:  # noqa: ARG002 - as above
        """Delete these, and what waits to be deleted; how many went."""
        return await self._orphans.delete() + await self._upkeep.finish_all()

    async def ping(self) -> None:
        """Return if the service answers, or did so within the last minute. Raises BackendError."""
        if not self._service.succeeded_within(PING_CACHE_S):
            await self._service.databases()

    async def _upstream_exists(self, upstream: str) -> bool:
        return await self._ledger.is_upstream_used(upstream) or upstream in await self._service.databases()

    async def _create_upstream(self, name: str) -> None:
        try:
            await self._service.create_database(name)
        except BackendError as error:
            # A refusal may mean that somebody was quicker; the name is ours in any case.
            if not error.may_have_been_done and not isinstance(error, BackendRefused):
                raise
            with contextlib.suppress(BackendError):
                if name in await self._service.databases():
                    return
            raise

    async def _search_upstream(self, where: HostedDatabase, picture: Picture, asked: int) -> _BestScores:
        if self._service.is_down:
            raise BackendDown("the service was found to be down, and has not answered since")
        url = await self._lender.lend(picture)
        return _BestScores.of(await self._service.search(where.upstream, url, asked), where.prefix, asked)

    async def _search_copies(
        self, database: DatabaseKey, detector: CopyDetector, limit: int, cause: BackendError
    ) -> Matches:
        copies = await asyncio.to_thread(detector.find_copies, await self._ledger.fingerprints(database))
        best = sorted(copies.items(), key=lambda item: (-item[1].score, item[0]))[:limit]
        described = await self._ledger.images(database, [data_id for data_id, _ in best])
        matches = [
            _match(image, copy.score, copy) for data_id, copy in best if (image := described.get(data_id)) is not None
        ]
        return Matches(matches, [Caveat.SAME_IMAGES_ONLY], cause)


@dataclass(frozen=True, slots=True)
class _BestScores:
    """What an answer of the service holds for one database: the best score of each image of its.

    ``is_full``: it is as long as was asked for, so that there may be more.
    """

    scores: Mapping[DataId, float]
    is_full: bool

    @classmethod
    def of(cls, answer: Iterable[HostedMatch], prefix: str, asked: int) -> _BestScores:
        best: dict[DataId, float] = {}
        given = 0
        for match in answer:
            given += 1
            if match.entity.startswith(prefix):
                data_id = DataId(match.entity.removeprefix(prefix))
                best[data_id] = max(match.score, best.get(data_id, 0.0))
        return cls(best, given >= asked)


def _ranked(
    best: Mapping[DataId, float], described: Mapping[DataId, NewHostedImage], detector: CopyDetector
) -> list[Match]:
    """Best first; the score is the service's, the verdict what our fingerprints show."""
    copies = detector.find_copies([(image.data_id, image.digest, image.fingerprint) for image in described.values()])
    ranked = sorted(described.values(), key=lambda image: (-best[image.data_id], image.data_id))
    return [_match(image, best[image.data_id], copies.get(image.data_id)) for image in ranked]


def _match(image: NewHostedImage, score: float, copy: CopyMatch | None) -> Match:
    if copy is None:
        return Match(image.data_id, image.entity, image.note, score)
    return Match(image.data_id, image.entity, image.note, score, copy.verdict, copy.edits)
