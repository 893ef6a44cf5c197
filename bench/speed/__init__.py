"""Benchmarks of the speed and memory of single operations."""
