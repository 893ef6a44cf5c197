"""Decoding: turn untrusted bytes into verified pictures, with format detection, limits and colour conversion."""
