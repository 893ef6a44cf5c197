"""Replies about stored images: additions, corrections, deletions, listings, exports, and searches by words or parts."""
