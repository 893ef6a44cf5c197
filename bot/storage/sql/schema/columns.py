"""Column types, naming conventions and the metadata of all tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, ForeignKey, Integer, MetaData, String
from sqlalchemy.types import TypeDecorator

from bot.domain.identifiers import MAX_ENTITY_KEY


class UtcTime(TypeDecorator[datetime]):
    """A time-zone-aware datetime. SQLite has no time zones, so the column holds UTC there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a value to UTC; for SQLite, without a time zone."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Return a value in UTC."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Row ids are never reused, so an in-memory index may rely on an id that it has seen.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")
ENTITY = String(64).with_variant(String(64, collation="C"), "postgresql")
# What ids are compared by. Collation C, because searches by prefix compare bytes.
ENTITY_KEY = String(MAX_ENTITY_KEY).with_variant(String(MAX_ENTITY_KEY, collation="C"), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def owner(table: str) -> ForeignKey:
    """Return a foreign key to the table that owns the row. Deleting the owner deletes the row."""
    return ForeignKey(f"{table}.id", ondelete="CASCADE")
