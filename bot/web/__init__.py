"""The bot's web app and server: Slack's deliveries, signed picture links, health and metrics."""

from bot.web.app import pictures_app, web_app
from bot.web.server import serving

__all__ = ["pictures_app", "serving", "web_app"]
