"""Search for pictures, with a cache of recent results."""
