"""What the bot stores about Slack: channel settings, installations and uploads."""
