"""Many machines, one database: PostgreSQL searches the vectors with pgvector."""
