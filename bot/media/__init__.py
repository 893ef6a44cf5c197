"""Signed picture links, and pictures lent to the hosted service.

Services, handlers and what is above them may import it.
"""
