"""The HTTP client of the hosted service."""
