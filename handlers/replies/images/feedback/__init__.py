"""Answers to people who judge matches, and the report on what was asked of a database."""
