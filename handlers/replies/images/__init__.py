"""Replies to requests about single images: corrections, deletions, exports and parts."""
