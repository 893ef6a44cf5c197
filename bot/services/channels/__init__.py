"""Channel settings, and what happens to images shared in a channel."""
