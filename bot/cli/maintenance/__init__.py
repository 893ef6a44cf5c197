"""Commands that maintain, compare or transfer data."""
