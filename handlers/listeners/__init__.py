"""Listeners: acknowledge, parse, call one service, and reply."""
