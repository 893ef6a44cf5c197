"""Locks that processes share: advisory locks of transactions, and locks that are held while no transaction is open."""
