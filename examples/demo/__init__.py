"""The demo: the real bot next to a stand-in for Slack with a web page, and example conversations in it."""
