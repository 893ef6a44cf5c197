"""What ``make run`` starts: the bot, where Slack's tokens are set, else the first thread against a stand-in."""

from __future__ import annotations

import sys

from bot.__main__ import main as start_bot
from bot.cli.session import Session
from bot.errors import SettingsError
from examples import first_thread


def main() -> int:
    """Run one or the other; the code to exit with."""
    try:
        settings = Session().settings()
    except SettingsError:
        return start_bot()  # it says what is wrong with them, and ends with their code
    if settings.slack_bot_token or settings.slack_app_token:
        print("Starting the bot against Slack, since its tokens are set.")
        return start_bot()
    return first_thread.main()


if __name__ == "__main__":
    sys.exit(main())
