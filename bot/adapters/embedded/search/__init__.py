"""Stages of a search: choose candidates, recognise items in other photos, search parts of the query."""
