"""Parse the rules of a guard channel, as ``/vsearch watch`` takes them. Invalid values raise InvalidInput."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.blocks.wording.channels import rules as wording
from bot.domain.channels import FileKind, OwnReposts, RuleChanges, SettingsEditors
from bot.domain.channels.rules import MAX_LEEWAY_MINUTES, MAX_WINDOW_DAYS
from bot.domain.errors import InvalidInput

RULES = ("window", "own", "report", "allow", "quiet")
"""The modifiers of a guard's rules."""

EDITORS = "editors"
"""The modifier that says who may change the settings of channels."""

QUIET = "quiet"

_WINDOW = re.compile(r"(\d{1,5})\s*(d|days?|w|weeks?|m|months?|y|years?)?", re.IGNORECASE)
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_LEEWAY = re.compile(r"(\d{1,5})\s*(m|min|mins|minutes?|h|hours?|d|days?)?", re.IGNORECASE)
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_NOTHING = frozenset({"off", "none", "no", "nobody", "nothing", "-"})
_YES = frozenset({"on", "yes", "true", ""})
_MENTION = re.compile(r"<([@#])([A-Z0-9]+)(?:\|[^<>]*)?>")
_ID = re.compile(r"[UWCG](?=[A-Z]*[0-9])[A-Z0-9]{3,}")
_GROUP = re.compile(r"<!subteam\^([A-Z0-9]+)(?:\|[^<>]*)?>|(S(?=[A-Z]*[0-9])[A-Z0-9]{3,})")
_MANY = re.compile(r"<!")
"""A user group, or everybody in a channel."""
_KINDS: Mapping[str, FileKind] = {
    word: kind
    for kind, words in {
        FileKind.GIF: ("gif", "gifs"),
        FileKind.STICKER: ("sticker", "stickers"),
        FileKind.EMOJI: ("emoji", "emojis", "emoticon", "emoticons"),
    }.items()
    for word in words
}
_CREATORS = frozenset({"creators", "creator", "owners", "admins", "managers"})
MAX_PEOPLE = 50


def parse_rules(given: Mapping[str, str]) -> RuleChanges:
    """Parse the values of RULES, by name, with Slack's mentions as they were sent. Raises InvalidInput."""
    changes = RuleChanges()
    for name, value in given.items():
        if name in _PARSERS:
            changes = _PARSERS[name](changes, value.strip(" ,;.`"))
    return changes


def parse_people(value: str) -> tuple[str, ...]:
    """Parse people, separated by commas: mentions, ids or names. Raises InvalidInput."""
    if _MANY.search(value):
        raise InvalidInput(wording.NO_GROUPS)
    people = tuple(reference(one) for one in value.split(",") if one.strip())
    if len(people) > MAX_PEOPLE:
        raise InvalidInput(wording.too_many_people(MAX_PEOPLE))
    return people


def parse_editors(value: str) -> SettingsEditors:
    """Parse who may change the settings of channels. Raises InvalidInput."""
    words = {one.strip().lower() for one in value.split(",") if one.strip()}
    if words & {"everybody", "everyone", "all"}:
        if len(words) > 1:
            raise InvalidInput(wording.EDITORS_INVALID)
        return SettingsEditors()
    others = [one for one in value.split(",") if one.strip() and one.strip().lower() not in _CREATORS]
    people = parse_people(",".join(others))
    if not words or not all(map(is_person, people)):
        raise InvalidInput(wording.EDITORS_INVALID)
    return SettingsEditors(everybody=False, creators=bool(words & _CREATORS), people=frozenset(people))


def reference(text: str) -> str:
    """Return the id in a mention of a person or a channel; an id or a name as it was typed."""
    found = _MENTION.fullmatch(text.strip())
    return found[2] if found else text.strip()


def is_id(text: str) -> bool:
    """Return whether a reference is an id of Slack."""
    return _ID.fullmatch(text) is not None


def _window(changes: RuleChanges, value: str) -> RuleChanges:
    if value.lower() in _NOTHING | {"all", "any", "ever", "always"}:
        return replace(changes, window_days=0)
    found = _WINDOW.fullmatch(value)
    days = int(found[1]) * _DAYS[(found[2] or "d")[0].lower()] if found else 0
    if not 1 <= days <= MAX_WINDOW_DAYS:
        raise InvalidInput(wording.window_invalid(MAX_WINDOW_DAYS))
    return replace(changes, window_days=days)


def _own(changes: RuleChanges, value: str) -> RuleChanges:
    """Parse ``report``, ``ignore``, or how long an own repost is ignored: ``10m``, also as ``report/10m``."""
    first, _, second = re.sub(r"[,/+ ]+", " ", value.lower()).partition(" ")
    if first in set(OwnReposts) and not second:
        return replace(changes, own=OwnReposts(first), leeway_minutes=0)
    found = _LEEWAY.fullmatch(second if first == OwnReposts.REPORT else value)
    minutes = int(found[1]) * _MINUTES[(found[2] or "m")[0].lower()] if found else -1
    if not 0 <= minutes <= MAX_LEEWAY_MINUTES:
        raise InvalidInput(wording.OWN_INVALID)
    return replace(changes, own=OwnReposts.REPORT, leeway_minutes=minutes)


def _allow(changes: RuleChanges, value: str) -> RuleChanges:
    """Parse people, user groups and kinds of files. Without any kind, the kinds stay as they are.

    People and groups stay if neither is given.
    """
    if value.lower() in _NOTHING:
        return replace(changes, people=(), groups=(), exempt=frozenset())
    words = [one.strip() for one in value.split(",") if one.strip()]
    kinds = frozenset(_KINDS[one.lower()] for one in words if one.lower() in _KINDS)
    groups = tuple(found[1] or found[2] for one in words if (found := _GROUP.fullmatch(one)))
    others = [one for one in words if one.lower() not in _KINDS and not _GROUP.fullmatch(one)]
    if not words or any(_MANY.search(one) for one in others):
        raise InvalidInput(wording.ALLOW_INVALID)
    people = parse_people(",".join(others))
    if any(not is_person(one) for one in people):
        raise InvalidInput(wording.ALLOW_INVALID)
    if people or groups:
        changes = replace(changes, people=people, groups=groups)
    return replace(changes, exempt=kinds or changes.exempt)


def is_person(text: str) -> bool:
    """Return whether a reference may be a person's."""
    return text.startswith("@") or (is_id(text) and text[0] in "UW")


def _report(changes: RuleChanges, value: str) -> RuleChanges:
    if value.lower() in _NOTHING | {"here", "thread"}:
        return replace(changes, report_to="")
    channel = reference(value)
    if not (channel.startswith("#") and len(channel) > 1) and not (is_id(channel) and channel[0] in "CG"):
        raise InvalidInput(wording.REPORT_INVALID)
    return replace(changes, report_to=channel)


def _quiet(changes: RuleChanges, value: str) -> RuleChanges:
    if value.lower() not in _YES | _NOTHING:
        raise InvalidInput(wording.QUIET_INVALID)
    return replace(changes, quiet=value.lower() in _YES)


_PARSERS: Mapping[str, Callable[[RuleChanges, str], RuleChanges]] = {
    "window": _window,
    "own": _own,
    "allow": _allow,
    "report": _report,
    "quiet": _quiet,
}
