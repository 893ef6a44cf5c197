"""Feedback: labels of matches, what databases learn from them, and counts of what was asked."""
