"""The tables of text in pictures. Import them from ``schema.tables``, like all others."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from bot.storage.sql.schema.columns import ROW_ID, UtcTime, metadata, owner

# Collation C, because searches by prefix compare bytes.
WORD = String(64).with_variant(String(64, collation="C"), "postgresql")
SCOPE = String(80).with_variant(String(80, collation="C"), "postgresql")

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

# The words by which an image is found through one of its origins: those of the id, the note and the file name given
# there, and those in the picture. A full-text index of SQLite would keep deleted words in its segments. Words with a
# digit begin with “#”, and the whole id with “!”. The scope says who may see the origin: see domain.channels. Of one
# database, higher ids are committed later, so that a process can read the words that are new to it.
origin_words = Table(
    "origin_words",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("origin_id", ROW_ID, owner("image_origins"), nullable=False),
    Column("image_id", ROW_ID, nullable=False),
    Column("database_id", ROW_ID, nullable=False),
    Column("scope", SCOPE, nullable=False),
    Column("word", WORD, nullable=False),
    Index(None, "database_id", "scope", "word", "image_id"),
    Index(None, "origin_id", "word", "scope"),
    sqlite_autoincrement=True,
)
