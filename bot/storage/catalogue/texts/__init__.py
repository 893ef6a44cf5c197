"""The text in pictures: its rows, and the index of its words."""
