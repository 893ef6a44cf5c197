"""Pages of a listing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from bot.domain.errors import InvalidInput
from bot.domain.identifiers import DataId, EntityId, Note, validate_entity_prefix

T = TypeVar("T")
MAX_PAGE = 1000


class Order(StrEnum):
    """The order of a listing, by the time when images were added or by their ids."""

    NEWEST_FIRST = "desc"
    OLDEST_FIRST = "asc"
    BY_ID = "id"
    """Not for listings of a back end: the hosted service knows the other two."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The requested part of a listing: from ``offset``, or from the ``token`` of the previous page if given."""

    offset: int = 0
    limit: int = 20
    token: str | None = None
    order: Order = Order.NEWEST_FIRST
    entity_prefix: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidInput if limit, offset or prefix is invalid."""
        if not 1 <= self.limit <= MAX_PAGE:
            raise InvalidInput(f"A page can have 1 to {MAX_PAGE} images.")
        if self.offset < 0:
            raise InvalidInput("The offset of a page must be 0 or more.")
        validate_entity_prefix(self.entity_prefix)


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One row of a back end's listing."""

    data_id: DataId
    entity: EntityId
    note: Note
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a listing. ``total`` counts all matching rows; ``token`` requests the next page (None at the end)."""

    items: tuple[T, ...]
    total: int
    token: str | None = None
