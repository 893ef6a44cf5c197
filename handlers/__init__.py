"""Slack in, one service, Slack out."""
