"""Commands that maintain or move data."""
