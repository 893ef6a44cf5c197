"""Composes App Home for one person. Listeners import it."""
