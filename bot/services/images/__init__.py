"""Add, list, delete, import and export images."""
