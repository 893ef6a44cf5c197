"""The port to the engine's rows. Work on them is plain functions, run in a thread inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.pages import ListedImage, Page, PageRequest

T = TypeVar("T")

VectorRow = tuple[int, bytes, bytes]
"""Row id, embedding (float16, little-endian), fingerprint (32 bytes, or none)."""

PackedFeatures = tuple[bytes, bytes, bytes]
"""Embedding, fingerprint and sketch, as they are stored."""


class DatabaseState(Protocol):
    """What tells an index whether it is up to date."""

    @property
    def id(self) -> int:
        """Never used again, not even for a database of the same name."""
        ...

    @property
    def model_id(self) -> str | None:
        """The model of all vectors that are searched; None while there is none."""
        ...

    @property
    def revision(self) -> int:
        """Grows with each write."""
        ...

    @property
    def removals(self) -> int:
        """Grows with each write that takes vectors away."""
        ...

    @property
    def calibration(self) -> str | None:
        """The database's own score curve, in the engine's words."""
        ...


class VectorRows(Protocol):
    """The rows, seen from inside a transaction. Row ids of vectors only ever grow."""

    def state(self, key: DatabaseKey) -> DatabaseState:
        """Raises UnknownDatabase."""
        ...

    def create(self, key: DatabaseKey) -> None:
        """Raises DatabaseExists."""
        ...

    def names(self, workspace: WorkspaceId) -> tuple[DatabaseName, ...]:
        """By name."""
        ...

    def delete(self, database_id: int) -> None:
        """The database and all its rows."""
        ...

    def set_model(self, database_id: int, model_id: str) -> None:
        """Search this model's vectors from now on."""
        ...

    def set_calibration(self, database_id: int, calibration: str | None) -> None:
        """Keep a score curve."""
        ...

    def add_image(self, database_id: int, data_id: DataId, entity: EntityId, note: Note, at: datetime) -> int:
        """The new image's row id."""
        ...

    def has(self, database_id: int, data_id: DataId) -> bool:
        """Whether the image is there."""
        ...

    def data_ids(self, database_id: int) -> frozenset[DataId]:
        """All of a database."""
        ...

    def add_vector(self, database_id: int, image_id: int, model_id: str, features: PackedFeatures) -> None:
        """What a model saw in an image; nothing happens if the image is gone or has it already."""
        ...

    def remove(self, database_id: int, entity: EntityId, data_id: DataId | None) -> int:
        """Delete the entity's images, or one; how many."""
        ...

    def page(self, database_id: int, key: DatabaseKey, request: PageRequest) -> Page[ListedImage]:
        """Raises InvalidInput for a strange token."""
        ...

    def count_vectors(self, database_id: int, model_id: str) -> int:
        """How many a load would give."""
        ...

    def vectors(self, database_id: int, model_id: str, after: int) -> Iterator[Sequence[VectorRow]]:
        """Those with a row id beyond ``after``, ascending, in groups that are small in memory."""
        ...

    def vector_ids(self, database_id: int, model_id: str) -> Sequence[int]:
        """All row ids, ascending."""
        ...

    def local_features(self, row_ids: Sequence[int]) -> Mapping[int, bytes]:
        """By row id of the vector."""
        ...

    def image_details(self, row_ids: Sequence[int]) -> Mapping[int, tuple[DataId, EntityId, Note]]:
        """What was said of the images, by row id of the vector."""
        ...

    def embeddings(self, row_ids: Sequence[int]) -> Iterable[tuple[EntityId, bytes]]:
        """Entity and embedding of some vectors."""
        ...

    def images_without_vector(
        self, database_id: int, model_id: str, after: int, limit: int
    ) -> Sequence[tuple[int, DataId]]:
        """Images (row id, data id) beyond ``after`` in which the model has not looked yet, ascending."""
        ...

    def drop_other_vectors(self, database_id: int, model_id: str, limit: int) -> int:
        """Delete some vectors of other models; how many went."""
        ...


class VectorStore(Protocol):
    """Where the rows are."""

    async def read(self, work: Callable[[VectorRows], T]) -> T:
        """Run on a snapshot; inside a unit that has written, on the unit's own view."""
        ...

    async def snapshot(self, work: Callable[[VectorRows], T]) -> T:
        """Run on what is committed, even inside a unit: what outlives the transaction must see nothing else."""
        ...

    async def write(self, work: Callable[[VectorRows], T]) -> T:
        """Run in a transaction, which is committed on disk when this returns, or in the unit's."""
        ...

    async def defer(self, work: Callable[[VectorRows], None]) -> None:
        """The same, for work without a result: inside a unit it may wait for its end."""
        ...
