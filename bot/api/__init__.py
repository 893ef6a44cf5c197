"""The HTTP API: a server for the hosted service's seven operations, on top of any back end."""

from bot.api.app import api_app
from bot.api.limits import ApiLimits

__all__ = ["ApiLimits", "api_app"]
