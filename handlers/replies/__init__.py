"""Compose, deliver and retry answers."""
