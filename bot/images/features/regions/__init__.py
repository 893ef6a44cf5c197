"""Regions of a picture: its content box, and the parts that may show other pictures."""
