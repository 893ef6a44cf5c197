"""The differences between SQLite and PostgreSQL, as values: concurrent writers, options, errors and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from bot.domain.errors import BackendError

T = TypeVar("T")
MAX_VARIABLES = 500
"""Maximum size of a list in one statement; databases limit the number of bound parameters."""


def in_batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split ``items`` into batches that fit into one statement."""
    for start in range(0, len(items), MAX_VARIABLES):
        yield items[start : start + MAX_VARIABLES]


def _never(_: SQLAlchemyError) -> bool:
    return False


def _answers(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


def _no_checkpoint(_: Engine) -> None:
    """Do nothing."""


def _nothing_to_scrub(_: Engine) -> bool:
    return True


def _nothing_to_compact(_: Engine, _copy_limit_s: float) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """How to read and write a kind of database.

    ``writers``: the number of transactions that may write at the same time.
    ``translate_error``: turns an error of SQLAlchemy into a BackendError.
    ``write_wait_s``: how long a write waits for a free writer, in seconds; None means without limit.
    ``read_options``, ``write_options``: SQLAlchemy's execution options of read and write transactions.
    ``is_connection_lost``: whether an error only says that the connection was lost.
    ``is_rolled_back``: whether the database rolled back a transaction because of a conflict, so that it can be retried.
    ``check``: raises BackendError if the database can't be used. It reads only.
    ``scrub``: removes deleted content from the database's log; False if it has to be tried again. Blocks.
    ``compact``: rewrites the database's file if deletions may have left something there; False if it has to be tried
    again. Gives up if copying the rows takes longer than a number of seconds. Blocks, and holds up writers.
    ``checkpoint``: copies the database's log without holding up writers. Blocks.
    """

    writers: int
    translate_error: Callable[[SQLAlchemyError], BackendError]
    write_wait_s: float | None = None
    read_options: Mapping[str, Any] = field(default_factory=dict)
    write_options: Mapping[str, Any] = field(default_factory=dict)
    is_connection_lost: Callable[[SQLAlchemyError], bool] = _never
    is_rolled_back: Callable[[SQLAlchemyError], bool] = _never
    check: Callable[[Connection], None] = _answers
    scrub: Callable[[Engine], bool] = _nothing_to_scrub
    compact: Callable[[Engine, float], bool] = _nothing_to_compact
    checkpoint: Callable[[Engine], None] = _no_checkpoint
