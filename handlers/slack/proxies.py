"""The proxy for requests to Slack."""

from __future__ import annotations

from bot.images.fetch.proxies import proxy_for

__all__ = ["proxy_for"]
