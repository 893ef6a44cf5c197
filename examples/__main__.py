"""What ``make run`` starts: the bot, where Slack's credentials are set, else the demo."""

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
    """Run one or the other; the code to exit with."""
    try:
        settings = CommandContext().settings()
    except SettingsError:
        return start_bot()  # it says what is wrong with them, and ends with their code
    tokens = (settings.slack_bot_token, settings.slack_app_token, settings.slack_signing_secret)
    if any(tokens) or settings.many_workspaces:
        print("Starting the bot against Slack, since its credentials are set.", flush=True)
        output = output_folder()
        if output != ROOT and settings.data_dir == Settings().data_dir:
            # The default is a folder in the checkout, which is read-only.
            os.environ["VSEARCH_DATA_DIR"] = str(output / "data")
            print(
                f"The bot keeps its data in {output / 'data'}; set VSEARCH_DATA_DIR to keep it elsewhere.", flush=True
            )
        return start_bot()
    return start_demo()


if __name__ == "__main__":
    sys.exit(main())
