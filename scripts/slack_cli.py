"""The hooks of ``.slack/hooks.json``, by which the Slack CLI reads the manifest and starts the bot.

    python3 scripts/slack_cli.py get-hooks|get-manifest|start

The Slack CLI reads the answers of the first two from standard output, as JSON. It runs a hook with the Python of the
system, so a hook sets up the virtual environment first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

TOKENS = {"SLACK_CLI_XOXB": "SLACK_BOT_TOKEN", "SLACK_CLI_XAPP": "SLACK_APP_TOKEN"}
"""Names under which the Slack CLI gives the tokens of its app, with the settings of the bot. Newer ones give both."""

_MANIFEST_AS_JSON = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding='utf-8'))))"


def main(arguments: list[str]) -> int:
    """Run a hook and return its exit code."""
    match arguments:
        case ["get-hooks"]:
            hooks = json.loads((ROOT / ".slack" / "hooks.json").read_text(encoding="utf-8"))
            print(json.dumps(hooks))
        case ["get-manifest"]:
            return _print_manifest()
        case ["start"]:
            command = _in_environment("-m", "bot", "serve")
            os.chdir(ROOT)
            os.execve(command[0], command, bot_environment(os.environ))
        case _:
            print("Name a hook: get-hooks, get-manifest or start.", file=sys.stderr)
            return 2
    return 0


def bot_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the bot: the given one, with the tokens of the Slack CLI as settings."""
    tokens = {setting: given[name] for name, setting in TOKENS.items() if given.get(name)}
    return {**given, **tokens}


def _in_environment(*arguments: str) -> list[str]:
    """Return the command that runs Python in the virtual environment, which is set up first if it must be."""
    return [sys.executable, str(ROOT / "scripts" / "in_venv.py"), "run", "python", *arguments]


def _print_manifest() -> int:
    command = _in_environment("-c", _MANIFEST_AS_JSON, str(ROOT / "manifest.yml"))
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
    # Setting up the environment may print lines before the manifest.
    *progress, manifest = done.stdout.splitlines() or [""]
    for line in progress:
        print(line, file=sys.stderr)
    if done.returncode == 0:
        print(manifest)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
