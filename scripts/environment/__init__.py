"""The virtual environment that ``make`` runs everything in.

Standard library only: it runs before anything is installed.
"""
