"""Slack's side: clients and tokens, OAuth, connections, and a directory of channels and members."""
