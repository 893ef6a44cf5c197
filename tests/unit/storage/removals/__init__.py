"""Tests of pending removals and deleted databases."""
