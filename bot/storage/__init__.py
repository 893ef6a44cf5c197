"""Durable data: the catalogue, the pictures, and what the bot keeps of Slack."""
