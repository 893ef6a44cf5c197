"""Create the hosted service's ledger, the pictures lent to it, and the URLs of our own API server."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ENTITY = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    _ledger()
    _relay()
    _server()


def downgrade() -> None:
    for table in ("api_image_urls", "relayed_pictures", "hosted_chores", "hosted_images", "hosted_databases"):
        op.drop_table(table)


def _ledger() -> None:
    op.create_table(
        "hosted_databases",
        _required("id", ROW_ID),
        _required("workspace", sa.String(64)),
        _required("name", sa.String(64)),
        _required("upstream", sa.String(64)),
        _required("prefix", sa.String(64)),
        _required("created_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_hosted_databases"),
        sa.UniqueConstraint("workspace", "name", name="uq_hosted_databases_workspace_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "hosted_images",
        _required("id", ROW_ID),
        _required("database_id", ROW_ID),
        _required("data_id", sa.String(64)),
        _required("entity", ENTITY),
        _required("note", sa.Text()),
        _required("digest", sa.String(64)),
        _required("fingerprint", sa.LargeBinary()),
        _required("state", sa.String(16)),
        _required("begun_at", TIME),
        _required("created_at", TIME),
        _required("updated_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_hosted_images"),
        sa.ForeignKeyConstraint(
            ["database_id"], ["hosted_databases.id"], name="fk_hosted_images_database_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("database_id", "data_id", name="uq_hosted_images_database_id_data_id"),
        sqlite_autoincrement=True,
    )
    _index("hosted_images", "database_id", "created_at", "id")
    _index("hosted_images", "database_id", "entity")
    _index("hosted_images", "database_id", "digest")
    _index("hosted_images", "state", "begun_at")
    op.create_table(
        "hosted_chores",
        _required("id", ROW_ID),
        _required("upstream", sa.String(64)),
        _required("entity", sa.String(64)),
        _required("due_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_hosted_chores"),
        sqlite_autoincrement=True,
    )
    _index("hosted_chores", "due_at", "id")
    _index("hosted_chores", "entity")


def _relay() -> None:
    op.create_table(
        "relayed_pictures",
        _required("id", sa.String(64)),
        _required("expires_at", TIME),
        _required("jpeg", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name="pk_relayed_pictures"),
    )
    _index("relayed_pictures", "expires_at")


def _server() -> None:
    op.create_table(
        "api_image_urls",
        _required("workspace", sa.String(64)),
        _required("database", sa.String(64)),
        _required("data_id", sa.String(64)),
        _required("entity", sa.String(64)),
        _required("url", sa.Text()),
        sa.PrimaryKeyConstraint("workspace", "database", "data_id", name="pk_api_image_urls"),
    )
    _index("api_image_urls", "workspace", "database", "entity")


def _required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _index(table: str, *columns: str) -> None:
    op.create_index("_".join(("ix", table, *columns)), table, list(columns))
