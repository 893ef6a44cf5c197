"""Replies to requests about single images: corrections, exports and parts."""
