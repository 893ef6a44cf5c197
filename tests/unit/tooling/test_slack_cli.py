"""``slack run``: the hooks that the Slack CLI finds in the checkout."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import slack_cli

ROOT = Path(__file__).parents[3]


def hooks() -> Any:
    return json.loads((ROOT / ".slack" / "hooks.json").read_text(encoding="utf-8"))


def test_hooks_run_the_script_and_leave_the_connection_to_the_bot(capsys: pytest.CaptureFixture[str]) -> None:
    listed = hooks()
    assert listed["config"]["sdk-managed-connection-enabled"] is True
    for name, command in listed["hooks"].items():
        assert shlex.split(command) == ["python3", "scripts/slack_cli.py", name]
    assert set(listed["hooks"]) == {"get-hooks", "get-manifest", "start"}
    assert slack_cli.main(["get-hooks"]) == 0
    assert json.loads(capsys.readouterr().out) == listed


def test_manifest_is_printed_as_json_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: str) -> list[str]:
        # Setting up the environment prints a line first.
        return [sys.executable, "-c", "print('Installed in 3 s.');" + arguments[1], *arguments[2:]]

    monkeypatch.setattr(slack_cli, "_in_environment", command)
    assert slack_cli.main(["get-manifest"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    assert "Installed" in printed.err


def test_start_serves_with_the_tokens_of_the_slack_cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLACK_CLI_XOXB", "xoxb-new")
    monkeypatch.setenv("SLACK_CLI_XAPP", "xapp-new")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-old")
    monkeypatch.setattr(os, "execve", lambda _path, command, environment: started.append((command, environment)))
    slack_cli.main(["start"])
    [(command, environment)] = started
    assert command[1:] == [str(ROOT / "scripts" / "in_venv.py"), "run", "python", "-m", "bot", "serve"]
    assert (environment["SLACK_BOT_TOKEN"], environment["SLACK_APP_TOKEN"]) == ("xoxb-new", "xapp-new")
    assert Path.cwd() == ROOT


def test_tokens_of_the_environment_stay_without_those_of_the_slack_cli() -> None:
    assert slack_cli.bot_environment({"SLACK_BOT_TOKEN": "xoxb-own"}) == {"SLACK_BOT_TOKEN": "xoxb-own"}


def test_unknown_hook_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert slack_cli.main(["deploy"]) == 2
    assert "get-manifest" in capsys.readouterr().err
