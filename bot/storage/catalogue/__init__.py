"""The catalogue in SQL."""
