"""The manifest asks Slack for what the code uses, and for nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest

from handlers import register

ROOT = Path(__file__).parents[2]

SCOPE_OF_METHOD = {
    "chat_postMessage": "chat:write",
    "chat_postEphemeral": "chat:write",
    "files_info": "files:read",
    "api_call": None,  # auth.test and apps.connections.open, at the start: they need none
}
SCOPE_OF_EVENT = {"message.channels": "channels:history", "message.groups": "groups:history"}


def listed(key: str) -> set[str]:
    """The items of one list of the manifest, which is plain enough to be read without a YAML library."""
    lines = iter((ROOT / "manifest.yml").read_text().splitlines())
    indent = next(len(line) - len(line.lstrip()) for line in lines if line.strip() == f"{key}:")
    items = set()
    for line in lines:
        item = re.fullmatch(r"\s*- ([\w:./]+)(?: #.*)?", line)
        if not item or len(line) - len(line.lstrip()) <= indent:
            break
        items.add(item[1])
    return items


def called_methods() -> set[str]:
    sources = [*(ROOT / "handlers").glob("*.py"), ROOT / "bot" / "app.py"]
    code = "\n".join(path.read_text() for path in sources)
    return set(re.findall(r"client\.([a-z]+_[a-zA-Z_]+)\(", code))


def test_scopes_are_those_that_calls_and_events_need() -> None:
    methods = called_methods()
    assert methods <= set(SCOPE_OF_METHOD), "say which scope a new method needs"
    needed: set[Any] = {SCOPE_OF_METHOD[method] for method in methods} - {None}
    needed |= {SCOPE_OF_EVENT[event] for event in listed("bot_events")}
    assert listed("bot") == needed | {"commands"}


def test_events_are_those_that_are_listened_to() -> None:
    assert {event.partition(".")[0] for event in listed("bot_events")} == {register.MESSAGE}


def test_the_command_is_the_one_that_is_listened_to() -> None:
    assert f"- command: {register.COMMAND}\n" in (ROOT / "manifest.yml").read_text()


@pytest.mark.parametrize(("key", "most"), [("name", 35), ("description", 140), ("command", 32), ("display_name", 80)])
def test_names_are_inside_slacks_limits(key: str, most: int) -> None:
    values = re.findall(rf"^[\s-]*{key}: (.*)$", (ROOT / "manifest.yml").read_text(), re.MULTILINE)
    assert values
    assert all(len(value) <= most for value in values)


def test_socket_mode_is_on() -> None:
    assert "socket_mode_enabled: true" in (ROOT / "manifest.yml").read_text()
