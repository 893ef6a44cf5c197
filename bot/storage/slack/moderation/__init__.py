"""Moderation in SQL: rules, reports and what was done about them, pairs that never match, labels, and editors."""
