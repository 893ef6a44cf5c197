"""The storage port of the embedded back end. Work on rows is a plain function, run in a thread in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from bot.domain.errors import ModelMismatch
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest

T = TypeVar("T")

VectorRow = tuple[int, bytes, bytes]
"""Row id, embedding (float16, little-endian) and fingerprint (32 bytes, or empty)."""

PackedFeatures = tuple[bytes, bytes, bytes, bytes, bytes]
"""Embedding, fingerprint, local features, point features and pending points as they are stored."""

NewImageRow = tuple[DataId, EntityId, Note, datetime, PackedFeatures]
"""A new image: data id, entity, note, the time of its addition, and its features."""


class DatabaseState(Protocol):
    """The state of a database. An index compares it with its own to see whether it is current."""

    @property
    def id(self) -> int:
        """The database's row id. It is never reused, not even for a new database of the same name."""
        ...

    @property
    def model_id(self) -> str | None:
        """The model whose vectors are searched, or None before the first image."""
        ...

    @property
    def revision(self) -> int:
        """A counter that each write increases."""
        ...

    @property
    def removals(self) -> int:
        """A counter that each write that removes vectors increases."""
        ...

    @property
    def calibration(self) -> str | None:
        """The database's own calibration curve as JSON, or None for the default."""
        ...


class VectorRows(Protocol):
    """The rows of all databases inside one transaction. A new vector's row id is greater than all earlier ones."""

    def state(self, key: DatabaseKey) -> DatabaseState:
        """Return the state of a database. Raises UnknownDatabase."""
        ...

    def create(self, key: DatabaseKey) -> None:
        """Create an empty database. Raises DatabaseExists."""
        ...

    def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """Return the names of the workspace's databases, sorted."""
        ...

    def delete(self, database_id: int) -> None:
        """Delete a database and all its rows."""
        ...

    def set_model(self, database_id: int, model_id: str) -> None:
        """Make searches use the vectors of this model."""
        ...

    def calibrations(self) -> Sequence[tuple[DatabaseKey, str | None]]:
        """Return each database and its stored calibration, by workspace and name."""
        ...

    def set_calibration(self, database_id: int, calibration: str | None) -> None:
        """Store the database's calibration curve as JSON; None restores the default."""
        ...

    def add_images(self, database_id: int, model_id: str, images: Sequence[NewImageRow]) -> None:
        """Insert images with the features that a model computed for them. The database has none of them yet.

        Their row ids ascend in the order of ``images``, and each counts as a write of its own.
        """
        ...

    def existing(self, database_id: int, data_ids: Collection[DataId]) -> frozenset[DataId]:
        """Return those of the data ids that images of the database have."""
        ...

    def data_ids(self, database_id: int) -> frozenset[DataId]:
        """Return the data ids of all images of a database."""
        ...

    def add_vector(self, database_id: int, image_id: int, model_id: str, features: PackedFeatures) -> None:
        """Store the features that a model computed for an image.

        Nothing happens if the image was deleted or already has features of this model.
        """
        ...

    def remove(self, database_id: int, entity: EntityId, data_id: DataId | None) -> int:
        """Delete the images of an entity, or only ``data_id``. Returns how many were deleted."""
        ...

    def rename(self, database_id: int, data_ids: Collection[DataId], entity: EntityId, at: datetime) -> int:
        """Give images another id. Returns how many."""
        ...

    def page(self, database_id: int, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Return a page of the database's images. Raises InvalidInput for an invalid page token."""
        ...

    def count_vectors(self, database_id: int, model_id: str) -> int:
        """Return how many vectors of a model the database has."""
        ...

    def vectors(self, database_id: int, model_id: str, after: int) -> Iterator[Sequence[VectorRow]]:
        """Yield the vectors with row ids greater than ``after``, ascending, in small groups that limit memory."""
        ...

    def vector_ids(self, database_id: int, model_id: str) -> Sequence[int]:
        """Return the row ids of all vectors of a model, ascending."""
        ...

    def vector_ids_of(self, database_id: int, model_id: str, data_ids: Collection[DataId]) -> frozenset[int]:
        """Return the row ids of a model's vectors of these images."""
        ...

    def local_features(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Return packed local features by the row ids of their vectors."""
        ...

    def point_features(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Return packed point features by the row ids of their vectors. Vectors of earlier versions have none."""
        ...

    def pending_points(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """Return pending points by the row ids of their vectors."""
        ...

    def next_pending_points(self, after: int, limit: int) -> Mapping[int, bytes]:
        """Return up to ``limit`` pending points of any database, by row ids above ``after``, ascending."""
        ...

    def count_pending_points(self) -> int:
        """Return how many vectors of all databases have pending points."""
        ...

    def complete_points(self, computed: Mapping[int, bytes]) -> None:
        """Replace pending points by point features. Rows that have none pending, such as deleted ones, stay."""
        ...

    def image_details(self, row_ids: Sequence[int]) -> Mapping[int, tuple[DataId, EntityId, Note]]:
        """Return data id, entity and note of images by the row ids of their vectors."""
        ...

    def embeddings(self, row_ids: Sequence[int]) -> Iterable[tuple[str, bytes]]:
        """Return the entity's key and the embedding (float16, little-endian) of the given vectors."""
        ...

    def images_without_vector(
        self, database_id: int, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, DataId]]:
        """Return up to ``limit`` images (row id, data id) that have no vector of this model.

        Their row ids are greater than ``after`` and ascend.
        """
        ...

    def images_without_points(
        self, database_id: int, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, DataId]]:
        """Return the same for images that have no vector of this model, or one without points, pending or not."""
        ...

    def add_point_features(self, image_id: int, model_id: str, features: bytes) -> None:
        """Store the point features of an image whose vector of this model has none."""
        ...

    def drop_other_vectors(self, database_id: int, model_id: str, limit: int) -> int:
        """Delete up to ``limit`` vectors of other models. Returns how many were deleted."""
        ...


class VectorStore(Protocol):
    """Runs work on rows in transactions."""

    async def read(self, work: Callable[[VectorRows], T]) -> T:
        """Run ``work`` on a snapshot, or in the unit's transaction if the current unit has written."""
        ...

    async def snapshot(self, work: Callable[[VectorRows], T]) -> T:
        """Run ``work`` on committed data only, even inside a unit.

        Use it for results that outlive the transaction, such as cached indexes.
        """
        ...

    async def write(self, work: Callable[[VectorRows], T]) -> T:
        """Run ``work`` in the unit's transaction, or in one of its own that is committed when this returns."""
        ...

    async def defer(self, work: Callable[[VectorRows], None]) -> None:
        """Run ``work`` like ``write``. Inside a unit, it may run as late as the end of the unit."""
        ...


def state_for_model(rows: VectorRows, database: DatabaseKey, model_id: str) -> DatabaseState:
    """Return the state of a database that is empty or has vectors of this model.

    Raises UnknownDatabase, and ModelMismatch if another model computed its vectors.
    """
    state = rows.state(database)
    if state.model_id not in {None, model_id}:
        raise ModelMismatch(database.name)
    return state
