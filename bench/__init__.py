"""Benchmarks of speed, memory and retrieval quality, as ratios measured in one run."""
