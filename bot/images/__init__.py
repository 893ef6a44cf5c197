"""Pictures: downloads, decoding with limits, features, and encoding for Slack and the hosted service."""
