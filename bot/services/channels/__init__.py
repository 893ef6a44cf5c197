"""Channel modes, and the handling of images shared in a channel."""
