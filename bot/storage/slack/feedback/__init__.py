"""Feedback in SQL: labels, what databases learned from them, and counts of what was asked."""
