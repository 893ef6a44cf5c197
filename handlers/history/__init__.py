"""Imports of channels' past pictures: read histories, add what they have, and show the progress."""
