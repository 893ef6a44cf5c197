"""The fields of the form that sets a channel's mode and rules."""

from __future__ import annotations

import pytest

from bot.domain.channels import NO_CHANGES, ChannelMode, FileKind, OwnReposts, RuleChanges
from handlers.modals.fields import FieldErrors, watch_fields
from handlers.parsing.payloads.interactions import FormValues

GUARD = {"mode": ("guard",), "database": ("ads",)}


def test_form_of_an_earlier_version_changes_no_rules() -> None:
    fields = watch_fields(FormValues(texts={"minimum": ""}, choices=GUARD))
    assert (fields.mode, fields.rules) == (ChannelMode.GUARD, NO_CHANGES)


def test_empty_fields_switch_rules_off() -> None:
    choices: dict[str, tuple[str, ...]] = {"people": (), "exempt": (), "report_to": (), "quiet": ()}
    fields = watch_fields(FormValues(texts={"window": "", "own": ""}, choices=GUARD | choices))
    assert fields.rules == RuleChanges(0, OwnReposts.REPORT, 0, (), frozenset(), "", quiet=False)


def test_fields_hold_rules() -> None:
    choices = {"people": ("U1", "U2"), "exempt": ("gif",), "report_to": ("C9",), "quiet": ("quiet",)}
    fields = watch_fields(FormValues(texts={"window": "2w", "own": "1h"}, choices=GUARD | choices))
    exempt = frozenset({FileKind.GIF})
    assert fields.rules == RuleChanges(14, OwnReposts.REPORT, 60, ("U1", "U2"), exempt, "C9", quiet=True)


def test_mistakes_are_told_at_their_fields() -> None:
    with pytest.raises(FieldErrors) as caught:
        watch_fields(FormValues(texts={"window": "soon", "own": "maybe"}, choices=GUARD))
    assert set(caught.value.problems) == {"window", "own"}


def test_rules_of_other_modes_are_left_alone() -> None:
    fields = watch_fields(FormValues(texts={"window": "soon"}, choices={"mode": ("lookup",), "database": ("ads",)}))
    assert fields.rules == NO_CHANGES
