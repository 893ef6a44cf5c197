"""The manifest is valid, and requests what the code uses and nothing else."""

import ast
import copy
import functools
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.ids import ShortcutId
from handlers import register
from handlers.slack.scopes import OPTIONAL, SCOPES
from tests.unit.tooling.manifest_schema_names import BOT_SCOPES, ELEMENT_SCOPES, EVENT_SCOPES, METHOD_SCOPES

ROOT = Path(__file__).parents[3]
SOURCES = sorted(path for room in ("handlers", "bot") for path in (ROOT / room).rglob("*.py"))

SHORTCUT_TYPES = {
    ShortcutId.FIND_SIMILAR: "message",
    ShortcutId.ADD_TO_DATABASE: "message",
    ShortcutId.SEARCH_BY_IMAGE: "global",
}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@functools.cache
def schema() -> Any:
    return json.loads(read(Path(__file__).with_name("manifest_schema.json")))


def manifest() -> Any:
    return yaml.safe_load(read(ROOT / "manifest.yml"))


def over_http() -> Any:
    """The manifest with the changes that docs/operating.md gives for HTTP and several workspaces."""
    text = read(ROOT / "docs" / "operating.md")
    changes = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    (change,) = [block for block in changes if "settings" in block]
    return merged(manifest(), change)


def merged(base: Any, change: Any) -> Any:
    if isinstance(base, dict) and isinstance(change, dict):
        return {key: merged(base.get(key), change.get(key, base.get(key))) for key in {**base, **change}}
    if isinstance(base, list) and isinstance(change, list) and all(isinstance(item, dict) for item in base):
        return [merged(old, new) for old, new in zip(base, change, strict=True)]
    return change


def problems(candidate: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema()).iter_errors(candidate)
    return [f"{error.json_path}: {error.message}" for error in found]


def scopes() -> list[str]:
    return list(manifest()["oauth_config"]["scopes"]["bot"])


def events() -> list[str]:
    return list(manifest()["settings"]["event_subscriptions"]["bot_events"])


@functools.cache
def words_of_the_code() -> frozenset[str]:
    """Every attribute and every string in the code."""
    return frozenset(word for path in SOURCES for word in _words(ast.parse(read(path))))


def _words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def used_methods() -> set[str]:
    """Methods of Slack's Web API that the code calls, on a client or by name (`api_call("auth.test")`)."""
    public = inspect.getmembers(AsyncWebClient, inspect.isfunction)
    known = {name for name, _ in public if "_" in name.strip("_") and not name.startswith("_")} - {"api_call"}
    return known & {word.replace(".", "_") for word in words_of_the_code()}


def all_of(sets: Iterable[frozenset[str]]) -> set[str]:
    return set().union(*sets)


def test_manifest_fits_slacks_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert problems(manifest()) == []


@pytest.mark.parametrize(
    ("location", "value"),
    [
        (("features", "shortcuts", 0, "name"), "Find similar images here!"),
        (("features", "shortcuts", 0, "type"), "channel"),
        (("features", "slash_commands", 0, "command"), "vsearch"),
        (("features", "bot_user", "display_name"), ""),
        (("display_information", "name"), "v" * 36),
        (("display_information", "description"), "d" * 141),
        (("settings", "socket_mode"), True),
        (("settings", "event_subscriptions", "bot_events"), ["app_mention", "app_mention"]),
        (("oauth_config", "redirect_urls"), ["example.org"]),
    ],
)
def test_schema_refuses_what_slack_refuses(location: tuple[Any, ...], value: Any) -> None:
    broken = copy.deepcopy(manifest())
    inner = broken
    for step in location[:-1]:
        inner = inner[step]
    inner[location[-1]] = value
    assert len(problems(broken)) == 1


def test_every_scope_and_event_is_one_of_slacks() -> None:
    assert set(scopes()) <= BOT_SCOPES
    assert set(events()) <= set(EVENT_SCOPES)
    assert all_of([*EVENT_SCOPES.values(), *METHOD_SCOPES.values(), *ELEMENT_SCOPES.values()]) <= BOT_SCOPES


def test_scope_of_every_method_is_known() -> None:
    assert used_methods() <= set(METHOD_SCOPES), "look up which scope a new method needs"
    assert set(METHOD_SCOPES) <= {name for name, _ in inspect.getmembers(AsyncWebClient, inspect.isfunction)}


def test_scopes_match_the_calls_and_events() -> None:
    needed = all_of(METHOD_SCOPES[method] for method in used_methods())
    needed |= all_of(EVENT_SCOPES[event] for event in events())
    needed |= all_of(ELEMENT_SCOPES[element] for element in ELEMENT_SCOPES if element in words_of_the_code())
    assert sorted(scopes()) == sorted(needed | {"commands"})


def test_optional_scopes_are_among_those_asked_for() -> None:
    optional = manifest()["oauth_config"]["scopes"]["bot_optional"]
    assert optional == sorted(OPTIONAL)
    assert scopes() == list(SCOPES)


def test_every_scope_has_a_reason() -> None:
    lines = read(ROOT / "manifest.yml").splitlines()
    said = {match[1] for line in lines if (match := re.fullmatch(r"\s+- ([a-z_.]+(?::[a-z.]+)?) # .{8,}", line))}
    assert set(scopes()) <= said


def test_subscribed_events_have_listeners() -> None:
    listened = {*register.EVENTS, register.MESSAGE}
    assert {event.partition(".")[0] for event in events()} == listened


def test_command_has_a_listener() -> None:
    assert [item["command"] for item in manifest()["features"]["slash_commands"]] == [register.COMMAND]


def test_shortcuts_have_listeners() -> None:
    listed = {item["callback_id"]: item["type"] for item in manifest()["features"]["shortcuts"]}
    assert listed == SHORTCUT_TYPES
    assert set(SHORTCUT_TYPES) == set(ShortcutId)
    assert len({item["name"] for item in manifest()["features"]["shortcuts"]}) == len(listed)


def test_buttons_messages_and_home_are_enabled() -> None:
    assert manifest()["settings"]["interactivity"] == {"is_enabled": True}
    assert manifest()["features"]["app_home"] == {
        "home_tab_enabled": True,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }


def test_socket_mode_is_on() -> None:
    assert manifest()["settings"]["socket_mode_enabled"] is True
    assert "url" not in manifest()["features"]["slash_commands"][0]


def test_changes_for_http_fit_slacks_schema() -> None:
    changed = over_http()
    assert problems(changed) == []
    assert changed["settings"]["socket_mode_enabled"] is False
    assert changed["settings"]["event_subscriptions"]["bot_events"] == events()
    addresses = [
        changed["features"]["slash_commands"][0]["url"],
        changed["settings"]["event_subscriptions"]["request_url"],
        changed["settings"]["interactivity"]["request_url"],
    ]
    assert {urlsplit(address).path for address in addresses} == {"/slack/events"}
    assert [urlsplit(address).path for address in changed["oauth_config"]["redirect_urls"]] == ["/slack/oauth_redirect"]


def test_procfile_starts_the_bot() -> None:
    lines = read(ROOT / "Procfile").splitlines()
    assert dict(line.split(": ", 1) for line in lines) == dict.fromkeys(("web", "worker"), "python -m bot serve")
