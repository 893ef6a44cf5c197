"""Nearest-neighbour search: indexes of embeddings and fingerprints in memory."""
