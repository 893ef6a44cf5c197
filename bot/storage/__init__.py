"""Durable data: the catalogue, the inbox, vectors, pictures and Slack settings, in SQLite or PostgreSQL."""
