"""The bot's web app and server: Slack's deliveries, signed picture links, health and metrics."""

from bot.web.app import pictures_app, web_app
from bot.web.server import freeze_heap, serving

__all__ = ["freeze_heap", "pictures_app", "serving", "web_app"]
