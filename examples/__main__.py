"""Entry point of ``make run``: the bot if Slack credentials are set, otherwise the demo."""

from __future__ import annotations

import os
import sys

from bot.__main__ import main as start_bot
from bot.cli.session import CommandContext
from bot.config.settings import Settings
from bot.domain.errors import SettingsError
from examples.demo.main import main as start_demo
from scripts.environment.places import ROOT, output_folder


def main() -> int:
    """Run the bot or the demo, and return the exit code."""
    try:
        settings = CommandContext().settings()
    except SettingsError:
        return start_bot()  # it prints what is wrong with them, and returns their exit code
    tokens = (settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret)
    if any(tokens) or settings.many_workspaces:
        print("Slack credentials are set, so the bot connects to Slack.", flush=True)
        output = output_folder()
        if output != ROOT and settings.data_dir == Settings().data_dir:
            # The default folder is in the checkout, which is read-only.
            os.environ["VSEARCH_DATA_DIR"] = str(output / "data")
            print(f"The bot stores its data in {output / 'data'}. Set VSEARCH_DATA_DIR to change that.", flush=True)
        return start_bot()
    return start_demo()


if __name__ == "__main__":
    sys.exit(main())
