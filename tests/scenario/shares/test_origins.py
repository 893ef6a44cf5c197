"""Origins: a second share adds one, and a deletion in Slack removes what it is about."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.fakes.slack.values import ConversationKind
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import GASKET, VALVE, run_command
from tests.scenario.support.shares import images_in, settled, watch

SECOND = "C0SECOND"


async def collecting(slack: FakeSlack, start: Start, kind: ConversationKind = "public") -> SlackApp:
    slack.add_channel(SECOND, "second", kind=kind, members=[SOMEONE])
    slack.add_channel("C0HAND", "by-hand")
    app = await start()
    await fill(app, "parts")
    for channel in (GENERAL, SECOND):
        await watch(app, ChannelMode.COLLECT, "parts", channel=channel)
    return app


async def share_twice(slack: FakeSlack, text: str = "") -> tuple[Message, Message]:
    """Share one picture in two channels, as two files."""
    first = await slack.upload(slack.host(VALVE, "valve.png"), text="the first")
    assert await slack.wait_for_reaction(first) == "white_check_mark"
    second = await slack.upload(slack.host(VALVE, "again.png"), channel=SECOND, text=text)
    assert await slack.wait_for_reaction(second) == "repeat"
    return first, second


async def places(app: SlackApp) -> list[list[str]]:
    """Return the messages of each image's origins."""
    return [[origin.slack.message_ts for origin in record.origins if origin.slack] for record in await images_in(app)]


async def test_second_share_adds_an_origin(slack: FakeSlack, start: Start) -> None:
    app = await collecting(slack, start)
    first, second = await share_twice(slack, "the second")
    assert await places(app) == [[first.ts, second.ts]]
    [record] = await images_in(app)
    assert [(origin.note, origin.author) for origin in record.origins] == [
        ("the first", SOMEONE),
        ("the second", SOMEONE),
    ]


async def test_answer_says_who_posted_a_picture_and_who_added_one_by_hand(slack: FakeSlack, start: Start) -> None:
    app = await collecting(slack, start)
    shared = await slack.upload(slack.host(VALVE, "valve.png"))
    assert await slack.wait_for_reaction(shared) == "white_check_mark"
    by_hand = await slack.upload(slack.host(GASKET, "gasket.png"), channel="C0HAND", user="U0LEA")
    await slack.wait_for_reply("C0HAND", by_hand.ts)
    await run_command(slack, "add last in:parts id:gasket_7", channel="C0HAND")
    await settled(slack, app)
    posted, added = [
        (await run_command(slack, f"search last in:parts {text}", channel=channel)).everything
        for channel, text in ((GENERAL, "top:1"), ("C0HAND", "top:1"))
    ]
    seconds = shared.ts.partition(".")[0]
    assert f"posted by <@{SOMEONE}>, <!date^{seconds}^" in posted
    # Lea posted it, and somebody else added it.
    assert f"added by <@{SOMEONE}>" in added
    assert "posted" not in added


async def test_author_of_another_id_learns_the_known_one(slack: FakeSlack, start: Start) -> None:
    app = await collecting(slack, start)
    await share_twice(slack, "id:pump")
    await settled(slack, app)
    [told] = [message for message in slack.state.messages if message.to]
    assert "as `valve`, not as `pump`" in told.everything
    assert [record.entity for record in await images_in(app)] == ["valve"]


async def test_image_stays_until_its_last_message_is_deleted(slack: FakeSlack, start: Start) -> None:
    app = await collecting(slack, start)
    first, second = await share_twice(slack)
    await (await slack.delete_message(first))
    await settled(slack, app)
    assert await places(app) == [[second.ts]]
    await (await slack.delete_message(second))
    await settled(slack, app)
    assert await images_in(app) == []


@pytest.mark.parametrize("kind", ["public", "private"])
async def test_deleted_channel_takes_its_origins_away(slack: FakeSlack, start: Start, kind: ConversationKind) -> None:
    app = await collecting(slack, start, kind)
    first, _ = await share_twice(slack)
    await (await slack.delete_channel(SECOND))
    await settled(slack, app)
    assert await places(app) == [[first.ts]]


@pytest.mark.parametrize("names_channel", [True, False])
async def test_unshared_file_takes_only_that_origin_away(
    slack: FakeSlack, start: Start, *, names_channel: bool
) -> None:
    app = await collecting(slack, start)
    file = slack.host(VALVE, "valve.png")
    shared = [await slack.upload(file, channel=channel) for channel in (GENERAL, SECOND, SECOND)]
    for message in shared:
        await slack.wait_for_reaction(message)
    await (await slack.unshare_file(file, shared[1], names_channel=names_channel))
    await settled(slack, app)
    # Workers handle the shares in any order.
    assert [sorted(found) for found in await places(app)] == [[shared[0].ts, shared[2].ts]]


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
async def test_message_deleted_before_its_share_arrives_is_not_added(
    slack: FakeSlack, start: Start, mode: ChannelMode
) -> None:
    app = await collecting(slack, start)
    await watch(app, mode, "parts")
    slack.state.channels[GENERAL].bot_is_member = False
    late = await slack.upload(slack.host(VALVE, "late.png"))
    slack.state.channels[GENERAL].bot_is_member = True
    await (await slack.delete_message(late))
    await settled(slack, app)
    slack.deliver_share(late)
    await settled(slack, app)
    assert await images_in(app) == []


@pytest.mark.parametrize("mode", [ChannelMode.COLLECT, ChannelMode.GUARD])
@pytest.mark.parametrize("names_channel", [True, False])
async def test_share_that_arrives_after_its_unsharing_is_not_added(
    slack: FakeSlack, start: Start, mode: ChannelMode, *, names_channel: bool
) -> None:
    app = await collecting(slack, start)
    await watch(app, mode, "parts")
    kept = await slack.upload(slack.host(VALVE, "late.png"), channel=SECOND)
    await slack.wait_for_reaction(kept)
    file = kept.files[0]
    slack.state.channels[GENERAL].bot_is_member = False
    late = await slack.upload(file)
    slack.state.channels[GENERAL].bot_is_member = True
    await (await slack.unshare_file(file, late, names_channel=names_channel))
    await settled(slack, app)
    slack.deliver_share(late)
    # Delivered again, it is still shared there.
    slack.deliver_share(kept)
    await settled(slack, app)
    assert await places(app) == [[kept.ts]]


async def test_file_that_is_shared_again_after_its_unsharing_is_added(slack: FakeSlack, start: Start) -> None:
    app = await collecting(slack, start)
    shared = await slack.upload(slack.host(VALVE, "valve.png"))
    await slack.wait_for_reaction(shared)
    await (await slack.unshare_file(shared.files[0], shared))
    await settled(slack, app)
    assert await images_in(app) == []
    again = await slack.upload(shared.files[0])
    await slack.wait_for_reaction(again)
    assert await places(app) == [[again.ts]]
