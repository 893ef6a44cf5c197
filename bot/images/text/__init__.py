"""Read the text in pictures."""
