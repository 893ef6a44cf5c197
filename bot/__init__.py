"""vsearch: a Slack bot that finds pictures by picture."""
