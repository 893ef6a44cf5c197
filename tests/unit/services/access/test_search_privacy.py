"""Searches: readers get exactly the matches that came from places they can read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.catalogue import DatabaseInfo, ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note
from bot.domain.matches import Match
from bot.services.access.privacy import PrivacyService
from bot.services.search.grouping import FoundImage, RankedMatch, agreement_credit, group_by_entity
from bot.services.search.search_result import SearchResult
from tests.fakes.conversations import FakeChannelDirectory, NoOrigins
from tests.unit.services.access.readers import (
    ANN,
    BOB,
    DIRECT,
    NOW,
    OTHER_TEAM,
    PRIVATE,
    PUBLIC,
    SHARED,
    TEAM,
    only,
    privacy,
    record,
)


def result_of(records: list[ImageRecord | None], *, hints: bool = False, weaker: int = 0) -> SearchResult:
    database = DatabaseInfo(DatabaseKey(TEAM, DatabaseName("parts")), 99, NOW, hints_at_hidden=hints)
    matches = tuple(
        RankedMatch(rank, Match(one.data_id if one else DataId(f"?{rank}"), EntityId("valve"), Note(), 9.0), one)
        for rank, one in enumerate(records, start=1)
    )
    return SearchResult(database, matches, weaker, 0.1, cached_at=NOW)


async def test_visible_matches_are_ranked_again() -> None:
    result = result_of([record(1, "C0P", PRIVATE), record(2), None, record(3, "C0P", PRIVATE), record(4)])
    [seen] = await privacy.for_audience([result], only(), FakeChannelDirectory())
    assert [(ranked.rank, ranked.match.data_id) for ranked in seen.matches] == [(1, "id2"), (2, "id4")]
    assert (seen.database, seen.seconds, seen.cached_at) == (result.database, 0.1, NOW)


async def test_hidden_matches_are_counted_only_if_the_database_hints() -> None:
    images = [record(1, "C0P", PRIVATE), record(2), None]
    for hints, hidden in ((True, 1), (False, 0)):
        [seen] = await privacy.for_audience([result_of(images, hints=hints)], only(), FakeChannelDirectory())
        assert seen.hidden == hidden


async def test_image_only_in_the_back_end_is_dropped_without_a_hint() -> None:
    [seen] = await privacy.for_audience([result_of([None], hints=True)], only(), FakeChannelDirectory())
    assert (seen.matches, seen.hidden) == ((), 0)


async def test_entity_is_shown_by_its_visible_images_alone() -> None:
    images = [
        FoundImage(Match(one.data_id, EntityId("valve"), Note(), 7 - number / 10), one)
        for number, one in enumerate([record(1, "C0P", PRIVATE), record(2), record(3, "C0P", PRIVATE), record(4)])
    ]
    grouped = group_by_entity(images, 5, {image.match.data_id for image in images})
    result = replace(result_of([]), matches=grouped.matches)
    [seen] = await privacy.for_audience([result], only(), FakeChannelDirectory())
    [match] = seen.matches
    assert (match.match.data_id, [image.match.data_id for image in match.others]) == ("id2", ["id4"])
    assert (match.rank, match.photos) == (1, 2)
    # Two images agree, no longer four.
    assert match.match.score == pytest.approx(6.9 + agreement_credit([6.9, 6.7]))


class CountedOrigins(NoOrigins):
    """Counts its queries."""

    def __init__(self) -> None:
        self.queries = 0

    async def origin_channels(self, key: DatabaseKey) -> tuple[tuple[str, ChannelKind], ...]:
        self.queries += 1
        return await super().origin_channels(key)


async def test_results_of_one_database_share_its_count() -> None:
    catalogue, result = CountedOrigins(), result_of([record(1), record(2)])
    seen = await PrivacyService(catalogue).for_audience([result] * 20, only(), FakeChannelDirectory())
    assert [len(one.matches) for one in seen] == [2] * 20
    assert catalogue.queries == 1


async def test_filtering_twice_changes_nothing() -> None:
    result = result_of([record(1, "C0P", PRIVATE), record(2)], hints=True, weaker=3)
    once = await privacy.for_audience([result], only(), FakeChannelDirectory())
    assert await privacy.for_audience(once, only(), FakeChannelDirectory()) == once


async def test_count_of_weaker_matches_excludes_hidden_ones_without_look_ups() -> None:
    below = (record(1, "C0P", PRIVATE), record(2), record(3, "C0PUBLIC"), record(4, "D0A", DIRECT, added_by=ANN))
    slack = FakeChannelDirectory(members={"C0P": {ANN}})
    for hints, weaker in ((False, 3), (True, 5)):
        result = replace(result_of([], hints=hints, weaker=5), weaker_records=below)
        [seen] = await privacy.for_audience([result], only(ANN), slack)
        assert seen.weaker == weaker
    assert slack.asked == []


channels = st.sampled_from(["C0HERE", "C0A", "C0B", "C0C", "D0A", ""])
kinds = st.sampled_from(list(ChannelKind))
users = st.sampled_from([ANN, BOB, ""])
origins = st.builds(
    lambda channel, kind, author, note: Origin(
        OriginSource.COMMAND_LINE if channel is None else OriginSource.MESSAGE,
        NOW,
        author,
        Note(note),
        slack=None if channel is None else SlackOrigin("F1", channel, "1.0", f"https://{channel}", kind),
    ),
    st.one_of(st.none(), channels),
    kinds,
    users,
    st.sampled_from(["", "one", "two"]),
)
some_records = st.lists(
    st.one_of(
        st.none(),
        st.builds(
            lambda found, workspace: replace(record(0, workspace=workspace), origins=tuple(found)),
            st.lists(origins, min_size=1, max_size=4),
            st.sampled_from([TEAM, TEAM, TEAM, OTHER_TEAM]),
        ),
    ),
    max_size=8,
).map(lambda found: [one and replace(one, data_id=DataId(f"id{number}")) for number, one in enumerate(found)])
audiences = st.builds(Audience, st.just(TEAM), channels, kinds, users)
slacks = st.builds(
    FakeChannelDirectory,
    st.dictionaries(channels, kinds),
    st.dictionaries(channels, st.sets(st.sampled_from([ANN, BOB]))),
    st.frozensets(channels),
    st.frozensets(st.one_of(channels, users)),
)


def may_see(
    origin: Origin, stored: dict[str, ChannelKind], audience: Audience, slack: FakeChannelDirectory, *, imports: bool
) -> bool:
    """State the rule independently: everyone who reads the answer can read where the image came from."""
    place, user = origin.slack, audience.user
    channel = place.channel if place else ""
    if channel and channel == audience.channel:
        return True
    if audience.kind is SHARED and not user:
        return False
    here = audience.channel
    guests = user in slack.guests if user else not here or here in slack.broken | slack.guests
    own = bool(user) and origin.author == user
    if not channel:
        return own or ((imports or not guests) and (place is None or place.kind is PUBLIC))
    if channel in slack.broken:
        return False
    today = slack.kinds.get(channel, stored[channel])
    member = bool(user) and user in slack.members.get(channel, set())
    return (today is PUBLIC and not guests) or (own and today is DIRECT) or member


@settings(max_examples=400)
@given(some_records, audiences, slacks, st.booleans(), st.booleans())
async def test_audience_sees_exactly_what_came_from_readable_places(
    found: list[ImageRecord | None], audience: Audience, slack: FakeChannelDirectory, hints: bool, imports: bool
) -> None:
    service = PrivacyService(NoOrigins(), guests_see_imports=imports)
    [seen] = await service.for_audience([result_of(found, hints=hints)], audience, slack)
    shown = [ranked.record for ranked in seen.matches]
    assert [ranked.rank for ranked in seen.matches] == list(range(1, len(shown) + 1))
    known = [one for one in found if one is not None]
    assert seen.hidden == (len(known) - len(shown) if hints else 0)
    assert seen.hides_images is (not hints and len(shown) < len(known))
    own = [one for one in known if one.database.workspace == TEAM]
    # The strictest stored kind of a channel counts.
    stored: dict[str, ChannelKind] = {}
    for kind in (PUBLIC, DIRECT, PRIVATE, SHARED):
        places = [origin.slack for one in own for origin in one.origins if origin.slack]
        stored |= {place.channel: kind for place in places if place.kind is kind}
    permitted = {
        one.data_id: tuple(o for o in one.origins if may_see(o, stored, audience, slack, imports=imports))
        for one in own
    }
    assert {one.data_id: one.origins for one in shown if one} == {
        name: some for name, some in permitted.items() if some
    }
