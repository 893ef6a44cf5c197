"""Durable data: the catalogue and the pictures."""
