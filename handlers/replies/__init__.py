"""Compose and deliver replies."""
