"""Values that every layer uses, and the error tree. No I/O and no framework; imports nothing of bot."""
