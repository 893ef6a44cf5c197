"""What the hosted service says, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HostedRow:
    """One image of a listing. ``data_id`` is the service's own name for it, ``entity`` is ours."""

    entity: str
    data_id: str = ""
    extra: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HostedPage:
    """Part of a listing; ``token`` leads on where offsets end, after 2,000 rows (empty: the service gave none)."""

    rows: tuple[HostedRow, ...]
    total: int
    token: str = ""


@dataclass(frozen=True, slots=True)
class HostedMatch:
    """One match, in the order of the service, which promises none. ``score``: 0 to 10, higher is more alike."""

    entity: str
    score: float
    data_id: str = ""
    extra: str = ""
    image_url: str = ""
