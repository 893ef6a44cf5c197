"""The embedded back end: the seven operations on this machine, over rows that a store keeps."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np
from cachetools import TTLCache

from bot.adapters.embedded.index import Floats, NeighbourQuery, Neighbours
from bot.adapters.embedded.index_cache import IndexCache, NeighbourSearch
from bot.adapters.embedded.ports import (
    CalibrationCurve,
    Candidate,
    FeatureExtractor,
    ImageFeatures,
    QueryFeatures,
    ScoredMatch,
    Verifier,
)
from bot.adapters.embedded.store import DatabaseState, PackedFeatures, VectorRows, VectorStore
from bot.adapters.port import Capabilities
from bot.domain.errors import ModelMismatch
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import MAX_RESULTS, Match, Matches, validate_limit
from bot.domain.pages import ListedImage, Page, PageRequest
from bot.domain.pictures import Picture

CANDIDATES = 32
"""How many a search considers, even for fewer results: the judge may know better than the cosine."""

VERIFIED_CANDIDATES = 20
MAX_VERIFIED_CANDIDATES = 32

_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S = 1000, 1.0


class EmbeddedSearch:
    """Satisfies ``adapters.port.VisualSearch``. The analyser and the store belong to whoever made them.

    Without a ``neighbours`` the vectors are searched in memory.
    """

    def __init__(
        self,
        store: VectorStore,
        extractor: FeatureExtractor,
        verifier: Verifier,
        *,
        index_memory_bytes: int = 0,
        neighbours: NeighbourSearch | None = None,
        name: str = "embedded",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._extractor = extractor
        self._verifier = verifier
        self._clock = clock
        self._checked_lately: TTLCache[DatabaseKey, bool] = TTLCache(_STATE_CACHE_SIZE, _STATE_CACHE_TTL_S)
        self._neighbours = neighbours or IndexCache(extractor.model_id, extractor.dimensions, index_memory_bytes)
        self._capabilities = Capabilities(name, MAX_RESULTS, deletes_single_images=True, needs_public_url=False)

    @property
    def capabilities(self) -> Capabilities:
        """What this back end can do."""
        return self._capabilities

    @property
    def index_memory(self) -> int:
        """Bytes of all indexes in memory."""
        return self._neighbours.memory

    async def create_database(self, database: DatabaseKey) -> None:
        """Make an empty database. Raises DatabaseExists."""
        await self._store.write(lambda rows: rows.create(database))

    async def list_databases(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """The workspace's databases, by name."""
        return await self._store.read(lambda rows: rows.names(workspace))

    async def delete_database(self, database: DatabaseKey) -> None:
        """Forget a database and all its images; can't be undone."""
        await self._store.write(lambda rows: rows.delete(rows.state(database).id))
        self._neighbours.forget(database)
        self._checked_lately.pop(database, None)

    async def add_image(
        self, database: DatabaseKey, picture: Picture, entity: EntityId, note: Note, data_id: DataId | None = None
    ) -> DataId:
        """Add a picture; when this returns, the add survives a crash and a search finds it. Raises ModelMismatch."""
        await self._check_database_cached(database)
        features = await self._extractor.extract(picture)
        name, model_id = data_id or _new_data_id(), self._extractor.model_id

        def work(rows: VectorRows) -> None:
            state = self._checked_state(rows, database)
            if data_id is not None and rows.has(state.id, data_id):
                return
            if state.model_id is None:
                rows.set_model(state.id, model_id)
            image_id = rows.add_image(state.id, name, entity, note, self._clock())
            rows.add_vector(state.id, image_id, model_id, pack_features(features))

        await self._store.defer(work)
        return name

    async def list_images(self, database: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """A page of the database's images. Raises InvalidInput for a token that is not one of ours."""
        return await self._store.read(lambda rows: rows.page(rows.state(database).id, database, request))

    async def delete_images(self, database: DatabaseKey, entity: EntityId, data_id: DataId | None = None) -> int:
        """Delete the entity's images, or the one named; how many went, 0 if none was there."""
        return await self._store.write(lambda rows: rows.remove(rows.state(database).id, entity, data_id))

    async def search(self, database: DatabaseKey, picture: Picture, limit: int = 10) -> Matches:
        """The most alike images, best first, at most ``limit`` (1 to 1000). Raises InvalidInput, ModelMismatch."""
        validate_limit(limit)
        if not self._neighbours.is_known(database):
            # Before the picture is analysed; of a database that was there before, the search itself finds out.
            state = await self._store.snapshot(lambda rows: self._checked_state(rows, database))
            if state.model_id is None:
                return Matches()
        query_features = await self._extractor.extract_query(picture)
        return await self._store.snapshot(lambda rows: self._search(rows, database, query_features, limit))

    async def inventory(self, database: DatabaseKey) -> frozenset[DataId]:
        """The images that have a row here."""
        return await self._store.read(lambda rows: rows.data_ids(rows.state(database).id))

    async def ping(self) -> None:
        """Return if the rows can be read. Raises BackendError."""
        await self._store.snapshot(lambda rows: rows.names(WorkspaceId("")))

    async def calibration(self, database: DatabaseKey) -> CalibrationCurve | None:
        """The database's own score curve; None for the default."""
        return await self._store.read(lambda rows: _calibration_of(rows.state(database)))

    async def set_calibration(self, database: DatabaseKey, curve: CalibrationCurve | None) -> None:
        """Score by this curve from now on; None for the default."""
        text = None if curve is None else json.dumps(curve)
        await self._store.write(lambda rows: rows.set_calibration(rows.state(database).id, text))

    async def sample(self, database: DatabaseKey, size: int, seed: int = 0) -> tuple[tuple[EntityId, ...], Floats]:
        """Entities and embeddings (n × dimensions) of up to ``size`` images chosen by chance. Raises ModelMismatch."""
        dimensions, model_id = self._extractor.dimensions, self._extractor.model_id

        def work(rows: VectorRows) -> tuple[tuple[EntityId, ...], Floats]:
            state = self._checked_state(rows, database)
            ids = np.array(rows.vector_ids(state.id, model_id), np.int64)
            chosen = np.random.default_rng(seed).permutation(ids)[:size]
            pairs = list(rows.embeddings(sorted(chosen.tolist())))
            matrix = np.frombuffer(b"".join(embedding for _, embedding in pairs), "<f2").reshape(-1, dimensions)
            return tuple(entity for entity, _ in pairs), matrix.astype(np.float32)

        return await self._store.snapshot(work)

    async def _check_database_cached(self, database: DatabaseKey) -> None:
        """Whether pictures can be added at all, before one is analysed in vain. Raises UnknownDatabase, ModelMismatch.

        Many adds in a row ask once a second, since each looks for itself when it writes. What is committed is asked:
        a look at a unit's own writes would begin its transaction, and hold it during the analysis.
        """
        if database not in self._checked_lately:
            await self._store.snapshot(lambda rows: self._checked_state(rows, database))
            self._checked_lately[database] = True

    def _checked_state(self, rows: VectorRows, database: DatabaseKey) -> DatabaseState:
        state = rows.state(database)
        if state.model_id not in {None, self._extractor.model_id}:
            raise ModelMismatch(database.name)
        return state

    def _search(self, rows: VectorRows, database: DatabaseKey, query_features: QueryFeatures, limit: int) -> Matches:
        """Everything that follows the probe, in one thread and on one snapshot."""
        embeddings = np.ascontiguousarray(query_features.embeddings, np.float32)
        query = NeighbourQuery(embeddings, query_features.fingerprints, max(limit, CANDIDATES))
        state, found = self._neighbours.search(rows, database, query)
        candidates = _candidates(found, rows)
        judgements = self._verifier.verify(query_features, candidates, _calibration_of(state))
        ranked = sorted(zip(candidates, judgements, strict=True), key=_ranking_key)[:limit]
        described = rows.image_details([candidate.row_id for candidate, _ in ranked])
        return Matches(
            Match(*described[candidate.row_id], scored.score, scored.verdict, scored.edits)
            for candidate, scored in ranked
        )


def pack_features(features: ImageFeatures) -> PackedFeatures:
    """Embedding (float16, little-endian), fingerprint and sketch, as they are stored."""
    return features.embedding.astype("<f2").tobytes(), features.fingerprint, features.local_features


def _new_data_id() -> DataId:
    """Unique, and ordered by time."""
    return DataId(f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}")


def _calibration_of(state: DatabaseState) -> CalibrationCurve | None:
    if state.calibration is None:
        return None
    return tuple((float(cosine), float(score)) for cosine, score in json.loads(state.calibration))


def _ranking_key(item: tuple[Candidate, ScoredMatch]) -> tuple[float, float, int]:
    candidate, scored = item
    return -scored.score, -candidate.cosine, candidate.row_id


def _candidates(found: Neighbours, rows: VectorRows) -> list[Candidate]:
    """The union of both searches; sketches for those worth a closer look."""
    resembling = list(found.fingerprint_hits)[: MAX_VERIFIED_CANDIDATES - VERIFIED_CANDIDATES]
    closest = list(found.cosines)[:VERIFIED_CANDIDATES]
    sketches = rows.local_features(list(dict.fromkeys([*closest, *resembling])))
    row_ids = dict.fromkeys([*found.cosines, *found.fingerprint_hits])
    return [_candidate(row_id, found, sketches) for row_id in row_ids]


def _candidate(row_id: int, found: Neighbours, sketches: Mapping[int, bytes]) -> Candidate:
    resemblance = found.fingerprint_hits.get(row_id)
    sketch = sketches.get(row_id, b"")
    if resemblance is None:
        return Candidate(row_id, found.cosines[row_id], local_features=sketch)
    cosine = found.cosines.get(row_id, resemblance.cosine)
    return Candidate(row_id, cosine, resemblance.distance, resemblance.query_row, sketch)
