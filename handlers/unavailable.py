"""The one error that ends a start although the settings are well-formed."""

from __future__ import annotations

from bot.errors import UserError


class SlackUnavailable(UserError):
    """Slack can't be reached, or it refused a token."""
