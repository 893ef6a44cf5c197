"""``vsearch history``: what the running bot is asked to read."""

from __future__ import annotations

import pytest

from tests.fixtures.command_line import Vsearch, vsearch

__all__ = ["vsearch"]

CHANNEL = "C0123456789"


def test_import_is_begun_and_controlled(vsearch: Vsearch) -> None:
    vsearch("db", "create", "parts")
    assert "with --in" in vsearch("history", CHANNEL).err
    assert "No past pictures" in vsearch("history", CHANNEL, "--status").err
    begun = vsearch("history", f"https://acme.slack.com/archives/{CHANNEL}", "--in", "parts", "--since", "2024-01-31")
    assert "as soon as it runs" in begun.out
    assert "already" in vsearch("history", CHANNEL, "--in", "parts").err
    assert vsearch("history", CHANNEL, "--pause", "--json").document == {
        "channel": CHANNEL,
        "status": "paused",
        "reason": "",
        "messages": 0,
        "pictures": 0,
        "added": 0,
        "known": 0,
        "refused": 0,
    }
    assert "running" in vsearch("history", CHANNEL, "--resume", "--json").out
    assert "stopped" in vsearch("history", CHANNEL, "--stop").out
    assert "over" in vsearch("history", CHANNEL, "--resume").err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["general"], "by its id"),
        ([CHANNEL, "--in", "nowhere"], "nowhere"),
        ([CHANNEL, "--in", "parts", "--since", "soon"], "since:"),
        ([CHANNEL, "--stop", "--pause"], "Choose one"),
    ],
)
def test_mistakes_change_nothing(vsearch: Vsearch, arguments: list[str], says: str) -> None:
    vsearch("db", "create", "parts")
    failed = vsearch("history", *arguments)
    assert failed.code
    assert says in failed.err
