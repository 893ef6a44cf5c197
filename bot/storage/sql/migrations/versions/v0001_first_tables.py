"""Create the tables of the catalogue and the embedded engine."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ENTITY = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _catalogue()
    _embedded()


def downgrade() -> None:
    for table in (
        "embedded_sketches",
        "embedded_vectors",
        "embedded_images",
        "embedded_databases",
        "images",
        "databases",
        "workspaces",
    ):
        op.drop_table(table)


def _catalogue() -> None:
    op.create_table(
        "workspaces",
        _required("id", sa.String(64)),
        _required("connected_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
    )
    op.create_table(
        "databases",
        _required("id", ROW_ID),
        _required("workspace", sa.String(64)),
        _required("name", sa.String(64)),
        _required("created_at", TIME),
        _required("created_by", sa.String(64)),
        _required("revision", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_databases"),
        _unique("databases", "workspace", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "images",
        _required("id", ROW_ID),
        _required("database_id", ROW_ID),
        _required("data_id", sa.String(64)),
        _required("entity", ENTITY),
        _required("note", sa.Text()),
        _required("digest", sa.String(64)),
        _required("source_digest", sa.String(64)),
        _required("fingerprint", sa.LargeBinary()),
        _required("width", sa.Integer()),
        _required("height", sa.Integer()),
        _required("created_at", TIME),
        _required("added_by", sa.String(64)),
        _required("source_name", sa.Text()),
        sa.Column("slack_file", sa.String(64)),
        sa.Column("slack_channel", sa.String(64)),
        sa.Column("slack_message", sa.String(64)),
        sa.Column("slack_permalink", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
        _owned("images", "database_id", "databases"),
        _unique("images", "database_id", "data_id"),
        _unique("images", "database_id", "digest"),
        sqlite_autoincrement=True,
    )
    _index("images", "database_id", "created_at", "id")
    _index("images", "database_id", "entity")
    _index("images", "database_id", "source_digest")
    _index("images", "digest")


def _embedded() -> None:
    op.create_table(
        "embedded_databases",
        _required("id", ROW_ID),
        _required("workspace", sa.String(64)),
        _required("name", sa.String(64)),
        sa.Column("model_id", sa.String(255)),
        _required("revision", sa.BigInteger()),
        _required("removals", sa.BigInteger()),
        sa.Column("calibration", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_embedded_databases"),
        _unique("embedded_databases", "workspace", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "embedded_images",
        _required("id", ROW_ID),
        _required("database_id", ROW_ID),
        _required("data_id", sa.String(64)),
        _required("entity", ENTITY),
        _required("note", sa.Text()),
        _required("created_at", TIME),
        _required("updated_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_embedded_images"),
        _owned("embedded_images", "database_id", "embedded_databases"),
        _unique("embedded_images", "database_id", "data_id"),
        sqlite_autoincrement=True,
    )
    _index("embedded_images", "database_id", "created_at", "id")
    _index("embedded_images", "database_id", "entity")
    op.create_table(
        "embedded_vectors",
        _required("id", ROW_ID),
        _required("image_id", ROW_ID),
        _required("database_id", ROW_ID),
        _required("model_id", sa.String(255)),
        _required("embedding", sa.LargeBinary()),
        _required("fingerprint", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_embedded_vectors"),
        _owned("embedded_vectors", "image_id", "embedded_images"),
        _unique("embedded_vectors", "image_id", "model_id"),
        sqlite_autoincrement=True,
    )
    _index("embedded_vectors", "database_id", "model_id", "id")
    op.create_table(
        "embedded_sketches",
        sa.Column("vector_id", ROW_ID, autoincrement=False, nullable=False),
        _required("sketch", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("vector_id", name="pk_embedded_sketches"),
        _owned("embedded_sketches", "vector_id", "embedded_vectors"),
    )


def _required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name="_".join(("uq", table, *columns)))


def _owned(table: str, column: str, owner: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=f"fk_{table}_{column}", ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    op.create_index("_".join(("ix", table, *columns)), table, list(columns))
