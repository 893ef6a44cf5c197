"""The rules of a guard in ``/vsearch watch``."""

from __future__ import annotations

import re

import pytest

from bot.domain.channels import ChannelMode, FileKind, OwnReposts, RuleChanges, SettingsEditors
from bot.domain.errors import InvalidInput
from handlers.parsing.grammar import SetEditors, WatchCommand, parse

GIF, EMOJI = FileKind.GIF, FileKind.EMOJI


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("window:30d", RuleChanges(window_days=30)),
        ("window:30", RuleChanges(window_days=30)),
        ("window:2w", RuleChanges(window_days=14)),
        ("window: 1y", RuleChanges(window_days=365)),
        ("window:off", RuleChanges(window_days=0)),
        ("own:ignore", RuleChanges(own=OwnReposts.IGNORE, leeway_minutes=0)),
        ("own:Report", RuleChanges(own=OwnReposts.REPORT, leeway_minutes=0)),
        ("own:10m", RuleChanges(own=OwnReposts.REPORT, leeway_minutes=10)),
        ("own:report/2h", RuleChanges(own=OwnReposts.REPORT, leeway_minutes=120)),
        ("allow:<@U0123LEA|lea>,gif", RuleChanges(people=("U0123LEA",), groups=(), exempt=frozenset({GIF}))),
        ("allow:@lea", RuleChanges(people=("@lea",), groups=())),
        ("allow:GIFs,emoji", RuleChanges(exempt=frozenset({GIF, EMOJI}))),
        ("allow:<!subteam^S0123|@mods>", RuleChanges(people=(), groups=("S0123",))),
        ("allow:<!subteam^S0123>,@lea,gif", RuleChanges(people=("@lea",), groups=("S0123",), exempt=frozenset({GIF}))),
        ("allow:none", RuleChanges(people=(), groups=(), exempt=frozenset())),
        ("report:<#C0123MODS|mods>", RuleChanges(report_to="C0123MODS")),
        ("report:#mods", RuleChanges(report_to="#mods")),
        ("report:off", RuleChanges(report_to="")),
        ("quiet", RuleChanges(quiet=True)),
        ("quiet:off", RuleChanges(quiet=False)),
        ("report:#mods quiet", RuleChanges(report_to="#mods", quiet=True)),
    ],
)
def test_rules_are_parsed(text: str, expected: RuleChanges) -> None:
    for command in (f"watch guard {text}", f"watch {text} guard", f"watch guard in:ads min:9 {text}"):
        parsed = parse(command)
        assert isinstance(parsed, WatchCommand)
        assert (parsed.mode, parsed.rules) == (ChannelMode.GUARD, expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("watch guard window:soon", "`window:` must be a number of days"),
        ("watch guard window:0", "`window:` must be a number of days"),
        ("watch guard own:maybe", "`own:` must be"),
        ("watch guard own:99999d", "`own:` must be"),
        ("watch guard allow:lea", "`allow:` takes people"),
        ("watch guard allow:<!channel>", "`allow:` takes people, user groups"),
        ("watch editors:<!subteam^S0123|@mods>", "User groups don't work here"),
        ("watch guard report:mods", "`report:` must be a channel"),
        ("watch guard quiet:perhaps", "`quiet:` must be"),
        ("watch lookup quiet", "belong to `/vsearch watch guard`"),
        ("watch collect window:30d", "belong to `/vsearch watch guard`"),
        ("watch guard editors:everybody", "`editors:` must be"),
        ("watch editors:lea", "`editors:` must be"),
        ("watch editors:everybody,@lea", "`editors:` must be"),
    ],
)
def test_wrong_rules_are_refused_with_the_right_form(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("everybody", SettingsEditors()),
        ("creators", SettingsEditors(everybody=False, creators=True)),
        ("<@U0123LEA|lea>,@tom", SettingsEditors(everybody=False, people=frozenset({"U0123LEA", "@tom"}))),
        ("creators,@tom", SettingsEditors(everybody=False, creators=True, people=frozenset({"@tom"}))),
    ],
)
def test_editors_are_parsed(value: str, expected: SettingsEditors) -> None:
    assert parse(f"watch editors:{value}") == SetEditors(expected)
