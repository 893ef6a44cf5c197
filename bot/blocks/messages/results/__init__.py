"""Answers to searches: the matches of one picture or of several, and the buttons below them."""
