"""The rules of guard channels and the editors of settings as JSON. What a newer version added is ignored."""

from __future__ import annotations

import json
from typing import Any

from bot.domain.channels import NO_RULES, FileKind, GuardRules, OwnReposts, SettingsEditors


def encode_rules(rules: GuardRules) -> str | None:
    """Return the rules as JSON; None for NO_RULES."""
    if rules == NO_RULES:
        return None
    given = {
        "window_days": rules.window_days,
        "own": str(rules.own),
        "leeway_minutes": rules.leeway_minutes,
        "people": sorted(rules.people),
        "exempt": sorted(rules.exempt),
        "report_to": rules.report_to,
        "quiet": rules.quiet,
        "groups": sorted(rules.groups),
    }
    return json.dumps(given, separators=(",", ":"))


def decode_rules(text: str | None) -> GuardRules:
    """Return the rules that ``encode_rules`` wrote."""
    if text is None:
        return NO_RULES
    given: dict[str, Any] = json.loads(text)
    known = set(FileKind)
    return GuardRules(
        given.get("window_days"),
        OwnReposts.IGNORE if given.get("own") == OwnReposts.IGNORE else OwnReposts.REPORT,
        int(given.get("leeway_minutes") or 0),
        frozenset(given.get("people") or ()),
        frozenset(FileKind(kind) for kind in given.get("exempt") or () if kind in known),
        str(given.get("report_to") or ""),
        bool(given.get("quiet")),
        frozenset(given.get("groups") or ()),
    )


def encode_editors(editors: SettingsEditors) -> str:
    """Return who may change settings as JSON."""
    given = {"everybody": editors.everybody, "creators": editors.creators, "people": sorted(editors.people)}
    return json.dumps(given, separators=(",", ":"))


def decode_editors(text: str) -> SettingsEditors:
    """Return what ``encode_editors`` wrote."""
    given: dict[str, Any] = json.loads(text)
    return SettingsEditors(
        bool(given.get("everybody")), bool(given.get("creators")), frozenset(given.get("people") or ())
    )
