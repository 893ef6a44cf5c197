"""The tables of text in pictures. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from bot.storage.sql.schema.columns import ROW_ID, UtcTime, metadata, owner

# Collation C, because searches by prefix compare bytes.
WORD = String(64).with_variant(String(64, collation="C"), "postgresql")

# The text of each image, or that it is being read. The rows go with the image, and so does the text.
image_texts = Table(
    "image_texts",
    metadata,
    Column("image_id", ROW_ID, owner("images"), primary_key=True, autoincrement=False),
    Column("database_id", ROW_ID, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("lines", Text, nullable=False),
    Index(None, "database_id", "state", "image_id"),
    Index(None, "state", "due_at"),
)

# The words in the picture by which an image is found. A full-text index of SQLite would keep deleted words in its
# segments.
image_words = Table(
    "image_words",
    metadata,
    Column("image_id", ROW_ID, owner("images"), primary_key=True, autoincrement=False),
    Column("word", WORD, primary_key=True),
    Column("database_id", ROW_ID, nullable=False),
    Index(None, "database_id", "word", "image_id"),
)

# The words of the id, the note and the file name that an image has through one of its origins. Words with a digit begin
# with “#”.
origin_words = Table(
    "origin_words",
    metadata,
    Column("origin_id", ROW_ID, owner("image_origins"), primary_key=True, autoincrement=False),
    Column("word", WORD, primary_key=True),
    Column("database_id", ROW_ID, nullable=False),
    Index(None, "database_id", "word", "origin_id"),
)
