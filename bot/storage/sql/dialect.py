"""What kinds of databases differ in, as values: who may write at once, and what their errors mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendError


def _never(_: SQLAlchemyError) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """How a kind of database is read and written.

    ``writers``: transactions that may write at once. ``patience_s``: how long one more waits for its turn (None: as
    long as it takes). ``reading``, ``writing``: SQLAlchemy's execution options for either. ``meaning``: an error in
    our words. ``was_lost``: whether an error says no more than that the connection is gone. ``was_undone``: whether
    the database took back a whole transaction for another's sake, so that it may be run again.
    """

    writers: int
    translate_error: Callable[[SQLAlchemyError], BackendError]
    write_wait_s: float | None = None
    read_options: Mapping[str, Any] = field(default_factory=dict)
    write_options: Mapping[str, Any] = field(default_factory=dict)
    is_connection_lost: Callable[[SQLAlchemyError], bool] = _never
    is_rolled_back: Callable[[SQLAlchemyError], bool] = _never
