"""Messages, from values to blocks."""
