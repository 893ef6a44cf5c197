"""Payloads and the command grammar to typed values. Pure."""
