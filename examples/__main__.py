"""What ``make run`` starts: the bot, where Slack's credentials are set, else the demo."""

from __future__ import annotations

import sys

from bot.__main__ import main as start_bot
from bot.cli.session import Session
from bot.errors import SettingsError
from examples.demo.main import main as start_demo


def main() -> int:
    """Run one or the other; the code to exit with."""
    try:
        settings = Session().settings()
    except SettingsError:
        return start_bot()  # it says what is wrong with them, and ends with their code
    tokens = (settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret)
    if any(tokens) or settings.many_workspaces:
        print("Starting the bot against Slack, since its credentials are set.", flush=True)
        return start_bot()
    return start_demo()


if __name__ == "__main__":
    sys.exit(main())
