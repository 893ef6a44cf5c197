"""Slack handlers: parse payloads, call one service, and reply in Slack."""
