"""Privacy: readers see an image if they can read where it came from."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from bot.domain.catalogue import ImageRecord, Origin, OriginSource, SlackOrigin
from bot.domain.channels import Audience, ChannelKind
from bot.domain.identifiers import Note
from bot.services.access.privacy import PrivacyService
from tests.fakes.conversations import FakeChannelDirectory, NoOrigins
from tests.unit.services.access.readers import (
    ANN,
    BOB,
    DIRECT,
    LATER,
    NOW,
    OTHER_TEAM,
    PRIVATE,
    PUBLIC,
    SHARED,
    everyone_in,
    only,
    privacy,
    record,
)


async def is_visible(audience: Audience, one: ImageRecord | None, slack: FakeChannelDirectory | None = None) -> bool:
    return bool(await privacy.shown([one], audience, slack or FakeChannelDirectory()))


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
    assert len(await privacy.shown(images, only(ANN), slack)) == 7
    assert slack.asked == [("kind", "C0P", PRIVATE), ("can_read", "C0P", ANN)]
    slack.asked.clear()
    assert (await privacy.shown(images, everyone_in("C0OTHER", SHARED), slack)).keys() == frozenset()
    assert slack.asked == []


async def test_strictest_stored_kind_of_a_channel_is_used() -> None:
    slack = FakeChannelDirectory()
    images = [record(1, "C0P", PUBLIC), record(2, "C0P", PRIVATE)]
    assert (await privacy.shown(images, everyone_in("C0HERE", PUBLIC), slack)).keys() == frozenset()
    assert slack.asked == [("kind", "C0P", PRIVATE)]


async def test_failed_look_ups_hide_images_and_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    slack = FakeChannelDirectory(broken=frozenset({"C0A", "C0B"}))
    images = [record(1, "C0A"), record(2, "C0B"), record(3, "C0GOOD"), record(4)]
    for audience in (only(), everyone_in("C0HERE", PUBLIC)):
        caplog.clear()
        assert (await privacy.shown(images, audience, slack)).keys() == {"id3", "id4"}
        [line] = caplog.records
        assert line.levelno == logging.WARNING
        assert "2 look-ups of channels or guests failed" in line.getMessage()


async def test_failed_membership_look_up_hides_all_but_own_images(caplog: pytest.LogCaptureFixture) -> None:
    class HalfBroken(FakeChannelDirectory):
        async def can_read(self, channel: str, user: str) -> bool:
            raise TimeoutError

    images = [record(1, "D0A", DIRECT, added_by=ANN), record(2, "D0A", DIRECT, added_by=BOB)]
    assert (await privacy.shown(images, only(ANN), HalfBroken())).keys() == {"id1"}
    assert len(caplog.records) == 1


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
    assert (await privacy.shown(images, only(ANN), slack)).keys() == {"id1", "id4", "id5"}
    lenient = PrivacyService(NoOrigins(), guests_see_imports=True)
    assert (await lenient.shown(images, only(ANN), slack)).keys() == {"id1", "id3", "id4", "id5"}


@pytest.mark.parametrize("kind", [PUBLIC, PRIVATE, DIRECT])
async def test_channel_with_guests_sees_its_own_images(kind: ChannelKind) -> None:
    images = [record(1, "C0HERE", kind), record(2, "C0B"), record(3)]
    audience = everyone_in("C0HERE", kind)
    assert (await privacy.shown(images, audience, FakeChannelDirectory(guests=frozenset({"C0HERE"})))).keys() == {"id1"}
    # Whatever Slack doesn't say counts as a guest.
    assert (await privacy.shown(images, audience, FakeChannelDirectory(broken=frozenset({"C0HERE"})))).keys() == {"id1"}
    assert len(await privacy.shown(images, audience, FakeChannelDirectory())) == 3
