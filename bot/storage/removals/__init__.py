"""Pending removals: what has to be deleted outside SQL, and databases whose rows are being deleted in batches."""
