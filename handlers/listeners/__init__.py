"""Listeners: parse, acknowledge, call one service, reply."""
