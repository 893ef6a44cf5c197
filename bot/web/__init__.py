"""The bot's HTTP side: Slack's deliveries, signed pictures, health and metrics."""

from bot.web.app import web_app
from bot.web.server import serving

__all__ = ["serving", "web_app"]
