"""The rules of a guard channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.channels import DEFAULT_RULES, NO_RULES, FileKind, GuardRules, OwnReposts, RuleChanges, Treatment
from bot.storage.slack.moderation.rules_json import decode_rules, encode_rules

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PEOPLE = ("U1", "U2", "U3", "")


@dataclass(frozen=True)
class Posted:
    """A posting."""

    author: str
    posted_at: datetime


rules = st.builds(
    GuardRules,
    st.none() | st.integers(1, 400),
    st.sampled_from(OwnReposts),
    st.integers(0, 600),
    st.frozensets(st.sampled_from(PEOPLE[:3])),
    st.frozensets(st.sampled_from(FileKind)),
    st.sampled_from(["", "C0MODS"]),
    st.booleans(),
    st.frozensets(st.sampled_from(["S1", "S2"])),
)
postings = st.builds(
    Posted, st.sampled_from(PEOPLE), st.integers(-600, 600_000).map(lambda minutes: NOW - timedelta(minutes=minutes))
)
earlier = st.lists(postings, max_size=6)
now_by = st.sampled_from(PEOPLE).map(lambda author: Posted(author, NOW))


@given(now_by, earlier)
def test_without_rules_every_posting_counts(posting: Posted, before: list[Posted]) -> None:
    assert NO_RULES.counting(posting, before) == tuple(before)
    assert NO_RULES.treatment(posting.author, FileKind) is Treatment.CHECK


@given(rules, now_by, earlier)
def test_each_posting_counts_for_itself(given_rules: GuardRules, posting: Posted, before: list[Posted]) -> None:
    alone = [one for one in before if given_rules.counting(posting, [one])]
    assert list(given_rules.counting(posting, before)) == alone


@given(rules, now_by, earlier, st.integers(1, 400))
def test_smaller_window_never_counts_more(
    given_rules: GuardRules, posting: Posted, before: list[Posted], days: int
) -> None:
    narrow = replace(given_rules, window_days=min(days, given_rules.window_days or days))
    counted = narrow.counting(posting, before)
    assert set(counted) <= set(given_rules.counting(posting, before))
    assert all(posting.posted_at - one.posted_at <= timedelta(days=narrow.window_days or 0) for one in counted)


@given(rules, now_by, earlier)
def test_own_rule_is_about_ones_own_postings_alone(
    given_rules: GuardRules, posting: Posted, before: list[Posted]
) -> None:
    lenient = replace(given_rules, own=OwnReposts.IGNORE)
    strict = replace(given_rules, own=OwnReposts.REPORT, leeway_minutes=0)
    differing = set(strict.counting(posting, before)) - set(lenient.counting(posting, before))
    assert {one.author for one in differing} <= {posting.author} - {""}
    assert not any(one.author == posting.author != "" for one in lenient.counting(posting, before))


@given(now_by, earlier, st.integers(1, 600))
def test_leeway_ignores_own_postings_at_about_the_same_time(
    posting: Posted, before: list[Posted], minutes: int
) -> None:
    counted = GuardRules(leeway_minutes=minutes).counting(posting, before)
    for one in before:
        is_slip = one.author == posting.author != "" and abs(NOW - one.posted_at) <= timedelta(minutes=minutes)
        assert (one in counted) is not is_slip


@given(rules, st.sampled_from(PEOPLE), st.frozensets(st.sampled_from(FileKind)))
def test_exempt_kinds_are_left_alone_and_allowed_people_are_not_checked(
    given_rules: GuardRules, author: str, kinds: frozenset[FileKind]
) -> None:
    treatment = given_rules.treatment(author, kinds)
    assert (treatment is Treatment.LEAVE) is bool(kinds & given_rules.exempt)
    if treatment is not Treatment.LEAVE:
        assert (treatment is Treatment.ADD) is (author in given_rules.people and author != "")
        in_all = given_rules.treatment(author, kinds, given_rules.groups)
        assert (in_all is Treatment.ADD) is (treatment is Treatment.ADD or bool(given_rules.groups and author))


@given(rules)
def test_stored_rules_are_read_again(given_rules: GuardRules) -> None:
    assert decode_rules(encode_rules(given_rules)) == given_rules
    assert RuleChanges().applied_to(given_rules) == given_rules


def test_rules_of_other_versions_are_understood() -> None:
    assert decode_rules(None) == NO_RULES
    newer = decode_rules('{"exempt":["gif","hologram"],"own":"unheard of","moon":"full"}')
    assert newer == GuardRules(exempt=frozenset({FileKind.GIF}))
    assert DEFAULT_RULES.exempt == frozenset(FileKind)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (RuleChanges(window_days=0), replace(DEFAULT_RULES, window_days=None)),
        (RuleChanges(window_days=7), replace(DEFAULT_RULES, window_days=7)),
        (RuleChanges(people=("U9",)), replace(DEFAULT_RULES, people=frozenset({"U9"}))),
        (RuleChanges(report_to="C9", quiet=True), replace(DEFAULT_RULES, report_to="C9", quiet=True)),
        (RuleChanges(report_to=""), replace(DEFAULT_RULES, report_to="")),
    ],
)
def test_changes_replace_what_they_name(changes: RuleChanges, expected: GuardRules) -> None:
    start = replace(DEFAULT_RULES, window_days=30 if changes.window_days == 0 else None)
    assert changes.applied_to(start) == expected
