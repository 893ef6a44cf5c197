"""The HTTP client of the hosted image search."""
