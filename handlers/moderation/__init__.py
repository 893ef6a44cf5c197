"""Moderation in Slack: protected settings of channels, and the guard's reports with their buttons.

Jobs, listeners and modals may import it.
"""
