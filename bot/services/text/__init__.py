"""Read the texts of stored pictures and of queries, compare them, and find images by words."""
