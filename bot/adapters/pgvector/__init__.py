"""The pgvector back end: several machines share one PostgreSQL database, which searches the vectors."""
