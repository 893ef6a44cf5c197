"""Benchmarks of what is found, and what is said about it."""
