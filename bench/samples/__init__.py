"""Pictures, edits and databases that benchmarks measure with."""
