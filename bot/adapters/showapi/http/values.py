"""Values parsed from the hosted service's responses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HostedRow:
    """One image of a listing. ``data_id`` is the service's own id for it, ``entity`` is the name that we gave it."""

    entity: str
    data_id: str = ""
    extra: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HostedPage:
    """A page of a listing. ``token`` fetches the next page, which offsets can't do beyond 2,000 rows. May be empty."""

    rows: tuple[HostedRow, ...]
    total: int
    token: str = ""


@dataclass(frozen=True, slots=True)
class HostedMatch:
    """One match of a search. ``score`` is 0 to 10, higher is more alike."""

    entity: str
    score: float
    data_id: str = ""
    extra: str = ""
    image_url: str = ""
