"""Shared SQL code: connections, dialects, advisory locks, schema and migrations."""
