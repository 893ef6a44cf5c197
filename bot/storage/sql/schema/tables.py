"""The tables. Migrations create them; a test checks that both agree.

Importing this module registers all tables in ``metadata``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from bot.storage.sql.schema.columns import ENTITY, ENTITY_KEY, ROW_ID, UtcTime, metadata, owner
from bot.storage.sql.schema.database_tables import databases, images, workspaces
from bot.storage.sql.schema.embedded_tables import (
    embedded_databases,
    embedded_images,
    embedded_local_features,
    embedded_pending_points,
    embedded_point_features,
    embedded_vectors,
)
from bot.storage.sql.schema.feedback_tables import image_usage, learned_scores, usage_counts
from bot.storage.sql.schema.history_tables import history_imports, history_messages
from bot.storage.sql.schema.hosted_tables import hosted_databases, hosted_deletions, hosted_images, relayed_pictures
from bot.storage.sql.schema.inbox_tables import inbox, inbox_files, unshared_files
from bot.storage.sql.schema.moderation_tables import (
    excluded_pairs,
    feedback_labels,
    guard_report_actions,
    guard_report_matches,
    guard_reports,
    workspace_settings,
)
from bot.storage.sql.schema.text_tables import image_texts, origin_words

__all__ = [
    "UtcTime",
    "api_image_urls",
    "channel_bindings",
    "database_channels",
    "databases",
    "embedded_databases",
    "embedded_images",
    "embedded_local_features",
    "embedded_pending_points",
    "embedded_point_features",
    "embedded_vectors",
    "excluded_pairs",
    "feedback_labels",
    "guard_report_actions",
    "guard_report_matches",
    "guard_reports",
    "history_imports",
    "history_messages",
    "home_visits",
    "hosted_databases",
    "hosted_deletions",
    "hosted_images",
    "image_origins",
    "image_texts",
    "image_usage",
    "images",
    "inbox",
    "inbox_files",
    "installations",
    "keys",
    "learned_scores",
    "metadata",
    "oauth_states",
    "origin_words",
    "pending_removals",
    "pictures",
    "relayed_pictures",
    "thumbnails",
    "unshared_files",
    "usage_counts",
    "workspace_settings",
    "workspaces",
]

# The conversations that images of a database came from at some time, with the kinds they had. An empty id stands for
# none. Counts of visible images look here first, instead of at each image.
database_channels = Table(
    "database_channels",
    metadata,
    Column("database_id", ROW_ID, owner("databases"), primary_key=True, autoincrement=False),
    Column("channel", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
)

# Each place that an image came from, and the id that it was given there. An image without one is deleted in the
# transaction that takes the last one away.
image_origins = Table(
    "image_origins",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("image_id", ROW_ID, owner("images"), nullable=False),
    Column("source", String(16), nullable=False),
    Column("author", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("note", Text, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("slack_file", String(64)),
    Column("slack_channel", String(64)),
    Column("slack_message", String(64)),
    Column("slack_permalink", Text),
    Column("slack_kind", String(16)),
    Column("entity", ENTITY),
    Column("entity_key", ENTITY_KEY),
    Column("named_automatically", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("imported", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("posted", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Index(None, "image_id", "created_at", "id"),
    Index(None, "entity_key"),
    Index(None, "author"),
    Index(None, "created_at"),
    Index(None, "slack_file"),
    Index(None, "slack_message"),
    Index(None, "slack_channel"),
    sqlite_autoincrement=True,
)

# The URLs from which our own server of the hosted API fetched its images.
api_image_urls = Table(
    "api_image_urls",
    metadata,
    Column("workspace", String(64), primary_key=True),
    Column("database", String(64), primary_key=True),
    Column("data_id", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Index(None, "workspace", "database", "entity"),
)

# Channel settings. A row whose mode is null only records that the channel was offered a database.
channel_bindings = Table(
    "channel_bindings",
    metadata,
    Column("workspace", String(64), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("mode", String(16)),
    Column("database_id", ROW_ID, ForeignKey("databases.id", ondelete="SET NULL")),
    Column("minimum", Float),
    # The rules of a guard as JSON; null in rows of earlier versions, which had none.
    Column("rules", Text),
    Column("changed_by", String(64), nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("offered_at", UtcTime),
    # The time of the newest event of the channel, as Slack writes times of messages.
    Column("seen_ts", String(64), nullable=False, server_default=""),
    Index(None, "database_id"),
)

# Normalised pictures, if they are stored in the database.
pictures = Table(
    "pictures",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("jpeg", LargeBinary, nullable=False),
)

thumbnails = Table(
    "thumbnails",
    metadata,
    Column("workspace", String(64), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("file_id", String(64), nullable=False),
    Index(None, "digest"),
)

# What each person had seen when they opened App Home: the newest origin then (``seen``), and at the opening before
# (``since``, null at the first). ``event`` is Slack's id of the last opening.
home_visits = Table(
    "home_visits",
    metadata,
    Column("workspace", String(64), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("event", String(64), nullable=False),
    Column("seen", BigInteger, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("since", BigInteger),
    Column("since_at", UtcTime),
)

# What has to be removed outside SQL: stored pictures, and pictures uploaded to Slack. Rows are written in the
# transaction that deletes what named them.
pending_removals = Table(
    "pending_removals",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("workspace", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("claims", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("again", Boolean(create_constraint=False), nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    # The digest of the stored picture that a temporary upload shows.
    Column("picture", String(64)),
    UniqueConstraint("kind", "workspace", "name"),
    Index(None, "kind", "state", "due_at"),
    Index(None, "picture"),
    sqlite_autoincrement=True,
)

# Random secrets shared by all processes, such as the key that signs picture links.
keys = Table(
    "keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("secret", LargeBinary, nullable=False),
)

# One row for each workspace or Enterprise Grid organisation that installed the app. Empty strings stand for null.
# ``sealed`` is the encrypted installation.
installations = Table(
    "installations",
    metadata,
    Column("enterprise", String(64), primary_key=True),
    Column("workspace", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("installed_at", UtcTime, nullable=False),
)

oauth_states = Table(
    "oauth_states",
    metadata,
    Column("state", String(255), primary_key=True),
    Column("expires_at", UtcTime, nullable=False),
)
