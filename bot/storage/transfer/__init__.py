"""Data transfer between SQLite and PostgreSQL."""
