"""Give an image several origins: move what an origin brought from the images into a table of its own.

Notes leave the search back ends, because a note goes with its origin, and back ends can't change one.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
ORIGIN_INDEXES = (
    ("image_id", "created_at", "id"),
    ("author",),
    ("created_at",),
    ("slack_file",),
    ("slack_message",),
    ("slack_channel",),
)
OLD_INDEXES = ("slack_file", "slack_message")
SLACK = (
    ("slack_file", 64),
    ("slack_channel", 64),
    ("slack_message", 64),
    ("slack_permalink", None),
    ("slack_kind", 16),
)
MOVED = ("note", "added_by", "source_name", *(name for name, _ in SLACK))

# A file without a message came from a form, and an author without a file named a URL. Of what the operator added,
# earlier rows don't say whether it was imported.
COPY = """
INSERT INTO image_origins (image_id, source, author, created_at, note, source_name,
                           slack_file, slack_channel, slack_message, slack_permalink, slack_kind)
SELECT id,
       CASE WHEN slack_file IS NOT NULL AND slack_message <> '' THEN 'message'
            WHEN slack_file IS NOT NULL THEN 'form'
            WHEN added_by <> '' THEN 'url'
            ELSE 'command_line' END,
       added_by, created_at, note, source_name,
       slack_file, slack_channel, slack_message, slack_permalink, slack_kind
FROM images ORDER BY id
"""

OLDEST = "(SELECT o.{column} FROM image_origins AS o WHERE o.image_id = images.id ORDER BY o.created_at, o.id LIMIT 1)"

# The catalogue's image behind a row of a back end. Databases of API clients have none, and keep their notes.
RECORDED = """
SELECT {wanted} FROM images JOIN databases ON databases.id = images.database_id
JOIN {owner} ON {owner}.workspace = databases.workspace AND {owner}.name = databases.name
WHERE {owner}.id = {table}.database_id AND images.data_id = {table}.data_id
"""
BACK_ENDS = (("embedded_images", "embedded_databases"), ("hosted_images", "hosted_databases"))


def upgrade() -> None:
    op.create_table(
        "image_origins",
        _required("id", ROW_ID),
        _required("image_id", ROW_ID),
        _required("source", sa.String(16)),
        _required("author", sa.String(64)),
        _required("created_at", TIME),
        _required("note", sa.Text()),
        _required("source_name", sa.Text()),
        *(sa.Column(name, _text(size)) for name, size in SLACK),
        sa.PrimaryKeyConstraint("id", name="pk_image_origins"),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_image_origins_image_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.execute(COPY)
    for columns in ORIGIN_INDEXES:
        op.create_index("_".join(("ix_image_origins", *columns)), "image_origins", list(columns))
    for table, owner in BACK_ENDS:
        recorded = RECORDED.format(wanted="1", owner=owner, table=table)
        op.execute(f"UPDATE {table} SET note = '' WHERE note <> '' AND EXISTS ({recorded})")  # noqa: S608 - constants
    for column in OLD_INDEXES:
        op.drop_index(f"ix_images_{column}", "images")
    # Not as a batch operation: in SQLite that copies the table and drops the old one, and the drop deletes all rows
    # that refer to it.
    for column in MOVED:
        op.drop_column("images", column)


def downgrade() -> None:
    """Keep the oldest origin of each image. Earlier revisions have room for one."""
    for name, size in (("note", None), ("added_by", 64), ("source_name", None)):
        op.add_column("images", sa.Column(name, _text(size), nullable=False, server_default=""))
    for name, size in SLACK:
        op.add_column("images", sa.Column(name, _text(size)))
    moved = {column: "author" if column == "added_by" else column for column in MOVED}
    values = ", ".join(f"{column} = {OLDEST.format(column=source)}" for column, source in moved.items())
    op.execute(f"UPDATE images SET {values}")  # noqa: S608 - constants
    for table, owner in BACK_ENDS:
        recorded = RECORDED.format(wanted="images.note", owner=owner, table=table)
        there = RECORDED.format(wanted="1", owner=owner, table=table)
        op.execute(f"UPDATE {table} SET note = ({recorded}) WHERE note = '' AND EXISTS ({there})")  # noqa: S608 - as above
    for column in OLD_INDEXES:
        op.create_index(f"ix_images_{column}", "images", [column])
    op.drop_table("image_origins")


def _text(size: int | None) -> sa.types.TypeEngine[Any]:
    return sa.Text() if size is None else sa.String(size)


def _required(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)
