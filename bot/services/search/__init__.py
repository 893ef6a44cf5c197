"""Search with a picture, with a cache of recent results."""
