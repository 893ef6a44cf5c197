"""Settings: declarations, parsers and validation. Only bot.app and bot.cli may import them."""
