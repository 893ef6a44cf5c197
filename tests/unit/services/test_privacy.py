"""Who may see which image: each rule, and property tests over all mixes of origins."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.catalogue import DatabaseInfo, ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, EntityId, Note, WorkspaceId
from bot.domain.matches import Match
from bot.services.access.privacy import PrivacyService
from bot.services.search.search import RankedMatch, SearchResult
from tests.fakes.conversations import FakeChannelDirectory, NoOrigins
from tests.fixtures.records import image_record

PUBLIC, PRIVATE, DIRECT, SHARED = ChannelKind.PUBLIC, ChannelKind.PRIVATE, ChannelKind.DIRECT, ChannelKind.SHARED
TEAM, OTHER_TEAM = WorkspaceId("T1"), WorkspaceId("T2")
NOW, LATER = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
ANN, BOB = "U0ANN", "U0BOB"

privacy = PrivacyService(NoOrigins())


def record(
    number: int,
    channel: str | None = None,
    kind: ChannelKind = PUBLIC,
    *,
    added_by: str = BOB,
    workspace: WorkspaceId = TEAM,
) -> ImageRecord:
    """Return an image from a channel, or with None one without an origin."""
    return image_record(
        database=DatabaseKey(workspace, DatabaseName("parts")),
        data_id=DataId(f"id{number}"),
        entity=EntityId("valve"),
        note=Note(),
        digest="d",
        source_digest="s",
        fingerprint=b"",
        width=1,
        height=1,
        added_at=NOW,
        added_by=added_by,
        origin=None if channel is None else SlackOrigin("F1", channel, "1.0", kind=kind),
    )


def everyone_in(channel: str, kind: ChannelKind) -> Audience:
    return Audience(TEAM, channel, kind)


def only(user: str = ANN, channel: str = "C0HERE", kind: ChannelKind = PUBLIC) -> Audience:
    return Audience(TEAM, channel, kind, user)


async def is_visible(audience: Audience, one: ImageRecord | None, slack: FakeChannelDirectory | None = None) -> bool:
    return bool(await privacy.visible([one], audience, slack or FakeChannelDirectory()))


async def test_image_unknown_to_the_catalogue_is_hidden() -> None:
    assert not await is_visible(only(), None)
    assert not await is_visible(everyone_in("C0HERE", PUBLIC), None)


@pytest.mark.parametrize("kind", ChannelKind)
async def test_image_without_origin_is_hidden_only_in_shared_channels(kind: ChannelKind) -> None:
    assert await is_visible(everyone_in("C0HERE", kind), record(1)) is (kind is not SHARED)
    assert await is_visible(only(kind=kind), record(1))


@pytest.mark.parametrize("kind", ChannelKind)
async def test_image_from_a_public_channel_is_hidden_only_in_shared_channels(kind: ChannelKind) -> None:
    assert await is_visible(everyone_in("C0HERE", kind), record(1, "C0PUBLIC")) is (kind is not SHARED)
    assert await is_visible(everyone_in("C0HERE", kind), record(1, "C0HERE"))
    assert await is_visible(only(kind=kind), record(1, "C0PUBLIC"))


@pytest.mark.parametrize("kind", [PRIVATE, DIRECT, SHARED])
async def test_channel_sees_only_its_own_private_images(kind: ChannelKind) -> None:
    slack = FakeChannelDirectory(members={"C0THERE": {ANN, BOB}})
    for here in ChannelKind:
        assert not await is_visible(everyone_in("C0HERE", here), record(1, "C0THERE", kind), slack)
    assert await is_visible(everyone_in("C0THERE", kind), record(1, "C0THERE", kind), slack)


@pytest.mark.parametrize("kind", [PRIVATE, DIRECT, SHARED])
async def test_user_sees_images_from_here_and_from_readable_channels(kind: ChannelKind) -> None:
    slack = FakeChannelDirectory(members={"C0THERE": {ANN}})
    image = record(1, "C0THERE", kind, added_by="U0CAT")
    assert await is_visible(only(channel="C0THERE", kind=kind), image, FakeChannelDirectory())
    assert await is_visible(only(ANN), image, slack)
    assert not await is_visible(only(BOB), image, slack)


async def test_direct_message_images_are_visible_to_their_author() -> None:
    assert await is_visible(only(ANN), record(1, "D0ANN", DIRECT, added_by=ANN))
    assert not await is_visible(only(BOB), record(1, "D0ANN", DIRECT, added_by=ANN))
    # Having added an image to a private channel isn't enough: the user may have left the channel.
    assert not await is_visible(only(ANN), record(1, "C0PRIVATE", PRIVATE, added_by=ANN))


async def test_direct_message_images_are_hidden_in_shared_answers() -> None:
    assert not await is_visible(everyone_in("C0HERE", PUBLIC), record(1, "D0ANN", DIRECT, added_by=ANN))
    # An empty user of the audience must not match the empty user of an image from the command line.
    assert not await is_visible(everyone_in("C0HERE", PUBLIC), record(1, "D0ANN", DIRECT, added_by=""))


async def test_current_channel_kind_decides() -> None:
    for then, today, seen in ((PUBLIC, PRIVATE, False), (PUBLIC, SHARED, False), (PRIVATE, PUBLIC, True)):
        slack = FakeChannelDirectory({"C0THERE": today})
        assert await is_visible(everyone_in("C0HERE", PUBLIC), record(1, "C0THERE", then), slack) is seen
        assert await is_visible(only(), record(1, "C0THERE", then), slack) is seen


@pytest.mark.parametrize("audience", [only(), everyone_in("C0HERE", PUBLIC), only(channel="C1")])
async def test_image_of_another_workspace_is_hidden(audience: Audience) -> None:
    for image in (record(1, workspace=OTHER_TEAM), record(1, "C1", workspace=OTHER_TEAM)):
        assert not await is_visible(audience, image)


async def test_modal_upload_does_not_match_an_audience_without_channel() -> None:
    image = record(1, "", DIRECT, added_by=ANN)
    slack = FakeChannelDirectory(members={"": {ANN, BOB}})
    assert await is_visible(only(ANN, channel=""), image, slack)
    assert not await is_visible(only(BOB, channel=""), image, slack)
    assert not await is_visible(everyone_in("", PUBLIC), image, slack)
    assert slack.asked == []


async def test_each_channel_is_looked_up_once_and_only_if_needed() -> None:
    slack = FakeChannelDirectory(members={"C0P": {ANN}})
    images = [record(n, "C0P", PRIVATE) for n in range(5)] + [record(5, "C0HERE", PRIVATE), record(6)]
    assert len(await privacy.visible(images, only(ANN), slack)) == 7
    assert slack.asked == [("kind", "C0P", PRIVATE), ("can_read", "C0P", ANN)]
    slack.asked.clear()
    assert await privacy.visible(images, everyone_in("C0OTHER", SHARED), slack) == frozenset()
    assert slack.asked == []


async def test_strictest_stored_kind_of_a_channel_is_used() -> None:
    slack = FakeChannelDirectory()
    images = [record(1, "C0P", PUBLIC), record(2, "C0P", PRIVATE)]
    assert await privacy.visible(images, everyone_in("C0HERE", PUBLIC), slack) == frozenset()
    assert slack.asked == [("kind", "C0P", PRIVATE)]


async def test_failed_look_ups_hide_images_and_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    slack = FakeChannelDirectory(broken=frozenset({"C0A", "C0B"}))
    images = [record(1, "C0A"), record(2, "C0B"), record(3, "C0GOOD"), record(4)]
    for audience in (only(), everyone_in("C0HERE", PUBLIC)):
        caplog.clear()
        assert await privacy.visible(images, audience, slack) == {"id3", "id4"}
        [line] = caplog.records
        assert line.levelno == logging.WARNING
        assert "2 look-ups of channels or guests failed" in line.getMessage()


async def test_failed_membership_look_up_hides_all_but_own_images(caplog: pytest.LogCaptureFixture) -> None:
    class HalfBroken(FakeChannelDirectory):
        async def can_read(self, channel: str, user: str) -> bool:
            raise TimeoutError

    images = [record(1, "D0A", DIRECT, added_by=ANN), record(2, "D0A", DIRECT, added_by=BOB)]
    assert await privacy.visible(images, only(ANN), HalfBroken()) == {"id1"}
    assert len(caplog.records) == 1


def result_of(records: list[ImageRecord | None], *, hints: bool = False, weaker: int = 0) -> SearchResult:
    database = DatabaseInfo(DatabaseKey(TEAM, DatabaseName("parts")), 99, NOW, hints_at_hidden=hints)
    matches = tuple(
        RankedMatch(rank, Match(one.data_id if one else DataId(f"?{rank}"), EntityId("valve"), Note(), 9.0), one)
        for rank, one in enumerate(records, start=1)
    )
    return SearchResult(database, matches, weaker, 0.1, cached_at=NOW)


async def test_visible_matches_are_ranked_again() -> None:
    result = result_of([record(1, "C0P", PRIVATE), record(2), None, record(3, "C0P", PRIVATE), record(4)])
    seen = await privacy.for_audience(result, only(), FakeChannelDirectory())
    assert [(ranked.rank, ranked.match.data_id) for ranked in seen.matches] == [(1, "id2"), (2, "id4")]
    assert (seen.database, seen.seconds, seen.cached_at) == (result.database, 0.1, NOW)


async def test_hidden_matches_are_counted_only_if_the_database_hints() -> None:
    images = [record(1, "C0P", PRIVATE), record(2), None]
    for hints, hidden in ((True, 1), (False, 0)):
        seen = await privacy.for_audience(result_of(images, hints=hints), only(), FakeChannelDirectory())
        assert seen.hidden == hidden


async def test_image_only_in_the_back_end_is_dropped_without_a_hint() -> None:
    seen = await privacy.for_audience(result_of([None], hints=True), only(), FakeChannelDirectory())
    assert (seen.matches, seen.hidden) == ((), 0)


async def test_filtering_twice_changes_nothing() -> None:
    result = result_of([record(1, "C0P", PRIVATE), record(2)], hints=True, weaker=3)
    once = await privacy.for_audience(result, only(), FakeChannelDirectory())
    assert await privacy.for_audience(once, only(), FakeChannelDirectory()) == once


async def test_count_of_weaker_matches_excludes_hidden_ones_without_look_ups() -> None:
    below = (record(1, "C0P", PRIVATE), record(2), record(3, "C0PUBLIC"), record(4, "D0A", DIRECT, added_by=ANN))
    slack = FakeChannelDirectory(members={"C0P": {ANN}})
    for hints, weaker in ((False, 3), (True, 5)):
        result = replace(result_of([], hints=hints, weaker=5), weaker_records=below)
        assert (await privacy.for_audience(result, only(ANN), slack)).weaker == weaker
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
    seen = await service.for_audience(result_of(found, hints=hints), audience, slack)
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


async def test_image_is_shown_through_its_visible_origins_alone() -> None:
    secret = Origin(
        OriginSource.MESSAGE, NOW, ANN, Note("tell nobody"), "plan.png", SlackOrigin("F1", "C0P", "1.0", "x", PRIVATE)
    )
    public = Origin(
        OriginSource.MESSAGE, LATER, BOB, Note("our chair"), "chair.png", SlackOrigin("F2", "C0A", "2.0", "y")
    )
    image = replace(record(1), origins=(secret, public))
    slack = FakeChannelDirectory(members={"C0P": {ANN}})
    [seen] = (await privacy.shown([image], everyone_in("C0HERE", PUBLIC), slack)).values()
    assert (seen.note, seen.added_by, seen.added_at, seen.origin) == ("our chair", BOB, LATER, public.slack)
    [seen] = (await privacy.shown([image], only(ANN), slack)).values()
    assert seen == image


async def test_guest_sees_images_of_their_channels_and_their_own() -> None:
    slack = FakeChannelDirectory(members={"C0A": {ANN}}, guests=frozenset({ANN}))
    images = [
        record(1, "C0A"),
        record(2, "C0B"),
        record(3),
        record(4, "", added_by=ANN),
        record(5, "C0HERE"),
        record(6, "C0P", PRIVATE),
    ]
    assert await privacy.visible(images, only(ANN), slack) == {"id1", "id4", "id5"}
    lenient = PrivacyService(NoOrigins(), guests_see_imports=True)
    assert await lenient.visible(images, only(ANN), slack) == {"id1", "id3", "id4", "id5"}


@pytest.mark.parametrize("kind", [PUBLIC, PRIVATE, DIRECT])
async def test_channel_with_guests_sees_its_own_images(kind: ChannelKind) -> None:
    images = [record(1, "C0HERE", kind), record(2, "C0B"), record(3)]
    audience = everyone_in("C0HERE", kind)
    assert await privacy.visible(images, audience, FakeChannelDirectory(guests=frozenset({"C0HERE"}))) == {"id1"}
    # Whatever Slack doesn't say counts as a guest.
    assert await privacy.visible(images, audience, FakeChannelDirectory(broken=frozenset({"C0HERE"}))) == {"id1"}
    assert len(await privacy.visible(images, audience, FakeChannelDirectory())) == 3
