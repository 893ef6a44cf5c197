"""Read the text of stored pictures in the background, and that of queries after their answer."""
