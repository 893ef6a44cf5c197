"""Verification of candidates: which are copies, which show the same item, and how they score."""
