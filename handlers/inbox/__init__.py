"""The inbox: store work durably before acknowledging Slack."""
