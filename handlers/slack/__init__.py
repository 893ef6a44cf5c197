"""Slack: clients and tokens, OAuth, connections, files, and a directory of channels and members."""
