"""Downloads: URLs that people give, and Slack files."""
