"""What the tests of pgvector share: its engine and the embedded one, on the same storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from bot.adapters.embedded.engine import EmbeddedSearch
from bot.adapters.pgvector.finder import PgvectorNeighbourSearch
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Match
from bot.storage.sql_storage import SqlStorage
from bot.storage.vectors.pgvector import PgvectorVectorStore
from bot.storage.vectors.pgvector_indexes import PgvectorMaintenance
from tests.fakes.features import FakeFeatureExtractor, FakeVerifier, flat_picture, random_picture

PARTS, BRAND = (DatabaseKey(WorkspaceId("T1"), DatabaseName(name)) for name in ("parts", "brand"))
LARGE = 60
"""Images from which the harness builds an index for a database."""
MODEL = "thumbnails: it's 1"
"""A model name with characters that need quoting."""


@dataclass(frozen=True, slots=True)
class Harness:
    storage: SqlStorage
    rows: PgvectorVectorStore
    upkeep: PgvectorMaintenance
    pgvector: EmbeddedSearch
    embedded: EmbeddedSearch


def engine(rows: PgvectorVectorStore, model: str = MODEL, memory: int = 2**20) -> EmbeddedSearch:
    return EmbeddedSearch(
        rows,
        FakeFeatureExtractor(model),
        FakeVerifier(),
        neighbours=PgvectorNeighbourSearch(model, memory),
        name="pgvector",
    )


async def fill(visual: EmbeddedSearch, key: DatabaseKey, seeds: range) -> None:
    await visual.create_database(key)
    for seed in seeds:
        picture = flat_picture(seed) if seed % 20 == 19 else random_picture(seed)
        await visual.add_image(key, picture, EntityId(f"part_{seed}"), Note(), DataId(f"{key.name}-{seed}"))


def are_same_matches(one: Sequence[Match], other: Sequence[Match]) -> bool:
    """Return whether two results are the same. PostgreSQL rounds the query too, so scores differ slightly."""
    verdicts = [{match.data_id: match.verdict for match in matches} for matches in (one, other)]
    scores = [[match.score for match in matches] for matches in (one, other)]
    return verdicts[0] == verdicts[1] and scores[0] == pytest.approx(scores[1], abs=0.01)
