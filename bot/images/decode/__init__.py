"""Bytes to verified pictures: formats, limits and colour."""
