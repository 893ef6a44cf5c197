"""Our own server of the hosted service's API: its seven operations, over any back end."""

from bot.api.app import api_app
from bot.api.limits import ApiLimits

__all__ = ["ApiLimits", "api_app"]
