"""The demo: the real bot beside a stand-in for Slack with a web page, and a story told in it."""
