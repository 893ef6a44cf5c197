"""Logs, redaction and metrics. Every layer above bot.domain may import it, except bot.config."""
