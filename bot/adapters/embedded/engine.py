"""The embedded back end: implements the ``VisualSearch`` operations on the rows of a ``VectorStore``."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from cachetools import TTLCache

from bot.adapters.embedded.calibration.calibrator import Calibrator
from bot.adapters.embedded.ports import (
    Candidate,
    FeatureExtractor,
    ImageFeatures,
    QueryFeatures,
    ScoredMatch,
    Verifier,
)
from bot.adapters.embedded.retrieval.index_cache import IndexCache, NeighbourSearch
from bot.adapters.embedded.retrieval.neighbours import NeighbourQuery
from bot.adapters.embedded.retrieval.remote import RemoteNeighbourSearch
from bot.adapters.embedded.search.candidates import CANDIDATES, VERIFIED_CANDIDATES, choose_candidates, evidence_of
from bot.adapters.embedded.search.item_search import find_items
from bot.adapters.embedded.search.part_search import PART_CANDIDATES, PART_LIMIT, add_matches_of_parts
from bot.adapters.embedded.store import NewImageRow, PackedFeatures, VectorRows, VectorStore, state_for_model
from bot.adapters.embedded.verification.item_evidence import region_of_items
from bot.adapters.embedded.verification.point_completion import PointCompletion
from bot.adapters.port import Capabilities, ImageToAdd
from bot.domain.catalogue import ScoreFit
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import MAX_RESULTS, Match, Matches, SearchEvidence, validate_limit
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.domain.pictures import Picture
from bot.telemetry.stages import StageTimer

_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S = 1000, 1.0


class EmbeddedSearch:
    """Satisfies ``adapters.port.VisualSearch``.

    The caller closes the store and the extractor, and saves ``points``, which searches compute. Without
    ``neighbours``, an ``IndexCache`` of ``index_memory_bytes`` searches the vectors; its files are in ``index_folder``.
    """

    def __init__(
        self,
        store: VectorStore,
        extractor: FeatureExtractor,
        verifier: Verifier,
        *,
        index_memory_bytes: int = 0,
        index_folder: Path | None = None,
        neighbours: NeighbourSearch | None = None,
        name: str = "embedded",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._extractor = extractor
        self._verifier = verifier
        self._clock = clock
        self._prepared: WeakKeyDictionary[Picture, ImageFeatures] = WeakKeyDictionary()
        self.points = PointCompletion(store)
        self.calibrator = Calibrator(store, extractor.model_id, extractor.dimensions)
        self._recently_checked: TTLCache[DatabaseKey, bool] = TTLCache(_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S)
        self._neighbours = neighbours or IndexCache(
            extractor.model_id, extractor.dimensions, index_memory_bytes, index_folder
        )
        self._capabilities = Capabilities(name, MAX_RESULTS, deletes_single_images=True, needs_public_url=False)

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of this back end."""
        return self._capabilities

    @property
    def index_memory(self) -> int:
        """The size of all indexes in memory, in bytes."""
        return self._neighbours.memory

    async def create_database(self, database: DatabaseKey) -> None:
        """Create an empty database. Raises DatabaseExists."""
        await self._store.write(lambda rows: rows.create(database))

    async def list_databases(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        return await self._store.read(lambda rows: rows.names(workspace))

    async def delete_database(self, database: DatabaseKey) -> None:
        """Delete a database and all its images permanently."""
        await self._store.write(lambda rows: rows.delete(rows.state(database).id))
        self._neighbours.forget(database)
        self._recently_checked.pop(database, None)

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture and return its data id. Raises ModelMismatch.

        When this returns, the image survives a crash and searches find it. If ``data_id`` exists, nothing changes.
        """
        (added_id,) = await self.add_images(database, [ImageToAdd(picture, entity, note, data_id)])
        return added_id

    async def add_images(self, database: DatabaseKey, images: Sequence[ImageToAdd]) -> tuple[DataId, ...]:
        """Add several pictures and return their data ids. See the port. Raises ModelMismatch.

        Their features are computed together, before the transaction begins, and their rows are written together.
        """
        await self._check_database_cached(database)
        features = await asyncio.gather(*(self._features_of(image.picture) for image in images))
        added_ids = tuple(image.data_id or _new_data_id() for image in images)
        given, model_id = {image.data_id for image in images if image.data_id is not None}, self._extractor.model_id

        def work(rows: VectorRows) -> None:
            state = state_for_model(rows, database, model_id)
            known = set(rows.existing(state.id, given)) if given else set[DataId]()
            new: list[NewImageRow] = []
            for image, added_id, computed in zip(images, added_ids, features, strict=True):
                if added_id not in known:
                    known.add(added_id)
                    new.append((added_id, image.entity, image.note, self._clock(), pack_features(computed)))
            if new and state.model_id is None:
                rows.set_model(state.id, model_id)
            if new:
                rows.add_images(state.id, model_id, new)

        await self._store.defer(work)
        return added_ids

    async def prepare_images(self, database: DatabaseKey, pictures: Sequence[Picture]) -> None:
        """Compute the features of pictures that will be added. See the port."""
        await self._check_database_cached(database)
        features = await asyncio.gather(*map(self._extractor.extract, pictures))
        self._prepared.update(zip(pictures, features, strict=True))

    async def _features_of(self, picture: Picture) -> ImageFeatures:
        return self._prepared.pop(picture, None) or await self._extractor.extract(picture)

    async def list_images(self, database: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of the database's images. Raises InvalidInput for an invalid page token."""
        return await self._store.read(lambda rows: rows.page(rows.state(database).id, database, request))

    async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
        """Delete the images of an entity, or only ``data_id``. Returns how many were deleted."""
        return await self._store.write(lambda rows: rows.remove(rows.state(database).id, entity, data_id))

    async def rename_images(self, database: DatabaseKey, data_ids: Collection[DataId], entity: EntityId) -> int:
        """Give images another id. Returns how many the back end has."""
        now = self._clock()
        return await self._store.write(lambda rows: rows.rename(rows.state(database).id, data_ids, entity, now))

    async def search(
        self, database: DatabaseKey, picture: Picture, limit: int = 10, exclude: Collection[DataId] = ()
    ) -> Matches:
        """Return up to ``limit`` (1 to 1000) matches, best first, without the images in ``exclude``.

        Raises InvalidInput and ModelMismatch.
        """
        validate_limit(limit)
        if not self._neighbours.is_known(database):
            # Check the database before the costly feature extraction. For a known one, the search itself checks it.
            state = await self._store.snapshot(lambda rows: state_for_model(rows, database, self._extractor.model_id))
            if state.model_id is None:
                return Matches()
        timer = StageTimer()
        query_features = await self._extractor.extract_query(picture)
        timer.end("features")

        async def find_part(part: QueryFeatures) -> Matches:
            return await self._find(database, part, PART_LIMIT, exclude, is_part=True)

        whole = await self._find(database, query_features, limit, exclude)
        parts = StageTimer()
        found = await add_matches_of_parts(whole, picture, limit, self._extractor, find_part)
        parts.end("parts")
        stages = timer.stages + whole.evidence.stages + parts.stages
        return Matches(found, found.caveats, found.cause, SearchEvidence(whole.evidence.candidates, stages))

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """Return the data ids of the images that are stored."""
        return await self._store.read(lambda rows: rows.data_ids(rows.state(database).id))

    async def ping(self) -> None:
        """Check that the rows can be read. Raises BackendError."""
        await self._store.snapshot(lambda rows: rows.names(WorkspaceId("")))

    async def self_calibrate(self, database: DatabaseKey) -> int | None:
        """Calibrate a database by its own pairs, if it has doubled since. Returns its images, or None. See the port."""
        return await self.calibrator.calibrate_if_due(database)

    async def score_fits(self, workspace: WorkspaceId) -> Mapping[DatabaseName, ScoreFit]:
        """Return which of the workspace's databases have fitted scores."""
        return await self.calibrator.score_fits(workspace)

    async def complete_points(self, limit: int) -> int:
        """Compute and store the points of up to ``limit`` images of any database. See the port."""
        return await self.points.complete_some(limit)

    async def pending_points(self) -> int:
        """Return how many images of all databases wait for their points."""
        return await self.points.count()

    async def _check_database_cached(self, database: DatabaseKey) -> None:
        """Check that pictures can be added, before the costly feature extraction.

        The result is cached for a second, because each add checks again when it writes. This reads a snapshot: a read
        inside the unit would begin its transaction and hold it during the extraction.
        Raises UnknownDatabase and ModelMismatch.
        """
        if database not in self._recently_checked:
            await self._store.snapshot(lambda rows: state_for_model(rows, database, self._extractor.model_id))
            self._recently_checked[database] = True

    async def _find(
        self,
        database: DatabaseKey,
        query_features: QueryFeatures,
        limit: int,
        exclude: Collection[DataId],
        *,
        is_part: bool = False,
    ) -> Matches:
        embeddings = np.ascontiguousarray(query_features.embeddings, np.float32)
        query = NeighbourQuery(embeddings, query_features.fingerprints, max(limit, CANDIDATES) + len(exclude))
        if isinstance(self._neighbours, RemoteNeighbourSearch):
            query = await self._neighbours.fetch(self._store, database, query, exclude)
        return await self._store.snapshot(
            lambda rows: self._search(
                rows, database, query_features, query, limit=limit, exclude=exclude, is_part=is_part
            )
        )

    def _search(
        self,
        rows: VectorRows,
        database: DatabaseKey,
        query_features: QueryFeatures,
        query: NeighbourQuery,
        *,
        limit: int,
        exclude: Collection[DataId],
        is_part: bool,
    ) -> Matches:
        """Find, verify and rank candidates, in one thread and on one snapshot.

        ``is_part``: the features are of a part of the query, which is searched for copies alone.
        """
        timer = StageTimer()
        state, found = self._neighbours.search(rows, database, query)
        if exclude:
            # Drop them before verification, which looks at the nearest candidates only.
            found = found.without(
                rows.vector_ids_of(state.id, self._extractor.model_id, exclude), max(limit, CANDIDATES)
            )
        candidates = choose_candidates(found, rows, PART_CANDIDATES if is_part else VERIFIED_CANDIDATES)
        timer.end("candidates")
        compared = None if is_part else region_of_items(query_features)
        if compared and not found.fingerprint_hits:
            compared.start_points()  # few such queries are copies
        scored_matches = self._verifier.verify(query_features, candidates, self.calibrator.curve_of(rows, state))
        timer.end("verification")
        if compared and any(scored.verdict.is_copy for scored in scored_matches):
            compared.cancel_points()
        elif compared:
            scored_matches = find_items(
                query_features, candidates, scored_matches, rows, self.points, is_complete=not exclude
            )
        timer.end("items")
        ranked = sorted(zip(candidates, scored_matches, strict=True), key=_ranking_key)[:limit]
        details = rows.image_details([candidate.row_id for candidate, _ in ranked])
        matches = [
            Match(
                *details[candidate.row_id],
                scored.score,
                scored.verdict,
                scored.edits,
                scored.part,
                aligned=scored.verdict.is_same_thing,
            )
            for candidate, scored in ranked
        ]
        examined = evidence_of([candidate for candidate, _ in ranked], matches)
        return Matches(matches, evidence=SearchEvidence(examined, timer.stages))


def pack_features(features: ImageFeatures) -> PackedFeatures:
    """Return embedding (float16, little-endian), fingerprint, local features and points as they are stored."""
    embedding = features.embedding.astype("<f2").tobytes()
    points = features.point_features
    return embedding, features.fingerprint, features.local_features, points, b"" if points else features.pending_points


def _new_data_id() -> DataId:
    """Return a unique id. Ids sort by creation time: 12 hex digits of milliseconds, then 20 random ones."""
    return DataId(f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}")


def _ranking_key(item: tuple[Candidate, ScoredMatch]) -> tuple[float, float, int]:
    candidate, scored = item
    return -scored.score, -candidate.cosine, candidate.row_id
