"""The virtual environment in which ``make`` runs everything.

Uses the standard library only, since it runs before anything is installed.
"""
