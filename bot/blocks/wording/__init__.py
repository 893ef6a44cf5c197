"""Every text that people read in Slack, by subject."""
