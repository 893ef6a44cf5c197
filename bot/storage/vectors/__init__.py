"""Vectors in SQL, for the embedded engine, for pgvector and for Milvus."""
