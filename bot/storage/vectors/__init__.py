"""Vectors in SQL, for the embedded engine and for pgvector."""
