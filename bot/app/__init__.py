"""The composition root: builds everything from the settings, starts it and stops it.

Only ``bot.cli`` and ``bot.__main__`` may import it.
"""
