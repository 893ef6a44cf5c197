"""Values and errors that every layer uses. No I/O, no framework and no imports from the rest of ``bot``."""
