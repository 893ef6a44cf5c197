"""What goes into the durable inbox before Slack is acknowledged."""
