"""Images shared in a guard channel: new ones are added silently, reposts are answered."""

from __future__ import annotations

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import ChannelMode
from bot.domain.identifiers import DatabaseName
from bot.services.channels.repost_guard import RepostGuard
from tests.fakes.slack import GENERAL, FakeSlack
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import key_of
from tests.scenario.support.shares import (
    NEW,
    ORIGINAL,
    OTHER,
    edited_copy,
    entities,
    images_in,
    reply,
    retry_at_once,
    settled,
    watch,
)

HERE, THERE = GENERAL, "C0PRIVATE"


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed jobs at once."""
    retry_at_once(monkeypatch)


async def test_new_images_are_added_silently(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    await watch(app, ChannelMode.GUARD, "ads")
    shared = [await slack.upload(slack.host(ORIGINAL, "one.png"), slack.host(OTHER, "two.png"), text="id:two_ads")]
    shared.append(await slack.upload(slack.host(NEW, "three.png")))
    await settled(slack, app)
    assert sorted(await entities(app, "ads")) == ["three", "two_ads", "two_ads"]
    assert slack.transcript == shared
    assert [slack.reactions(message) for message in shared] == [[], []]


@pytest.mark.parametrize(("copy", "verdict"), [(ORIGINAL, "same image"), (edited_copy(), "edited copy")])
async def test_repost_is_answered_in_its_thread_and_not_added(
    slack: FakeSlack, start: Start, copy: bytes, verdict: str
) -> None:
    app = await start()
    await fill(app, "ads", other=OTHER)
    await watch(app, ChannelMode.GUARD, "ads")
    first = await slack.upload(slack.host(ORIGINAL, "bicycle.png"), user="U0SELLER")
    await settled(slack, app)
    repost = await slack.upload(slack.host(copy, "mine.jpg"), user="U0COPYCAT")
    answer = await reply(slack, repost)
    assert (answer.channel, answer.thread_ts, answer.to) == (GENERAL, repost.ts, "")
    for part in ("`bicycle`", verdict, "by <@U0SELLER>", f"p{first.ts.replace('.', '')}|original message"):
        assert part in answer.everything
    # Only matches above the minimum score.
    assert "`other`" not in answer.everything
    await settled(slack, app)
    assert sorted(await entities(app, "ads")) == ["bicycle", "other"]
    assert slack.replies(first.ts) == []


async def test_same_picture_twice_at_once_is_one_original_and_one_repost(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    await watch(app, ChannelMode.GUARD, "ads")
    shared = [await slack.upload(slack.host(ORIGINAL, f"ad {number}.png")) for number in range(3)]
    await settled(slack, app)
    [original] = await images_in(app, "ads")
    assert original.origin is not None
    answered = {message.ts: len(slack.replies(message.ts)) for message in shared}
    assert answered == {message.ts: int(message.ts != original.origin.message_ts) for message in shared}


async def test_two_equal_images_in_one_message_are_no_repost(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    await watch(app, ChannelMode.GUARD, "ads")
    shared = await slack.upload(slack.host(ORIGINAL, "one.png"), slack.host(ORIGINAL, "two.png"))
    await settled(slack, app)
    assert await entities(app, "ads") == ["one"]
    assert slack.transcript == [shared]


async def test_two_equal_images_next_to_a_repost_are_not_in_its_answer(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads", bicycle=OTHER)
    await watch(app, ChannelMode.GUARD, "ads")
    shared = await slack.upload(
        slack.host(ORIGINAL, "one.png"), slack.host(ORIGINAL, "two.png"), slack.host(OTHER, "three.png")
    )
    answer = await reply(slack, shared)
    assert "`bicycle`" in answer.everything
    for part in ("one.png", "two.png", "No close matches"):
        assert part not in answer.everything


async def test_several_reposts_in_one_message_get_one_answer(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads", bicycle=ORIGINAL, sofa=OTHER)
    await watch(app, ChannelMode.GUARD, "ads")
    shared = await slack.upload(
        slack.host(OTHER, "a.png"), slack.host(NEW, "bench.png"), slack.host(edited_copy(), "c.jpg")
    )
    answer = await reply(slack, shared)
    for part in ("1. a.png", "`sofa`", "2. c.jpg", "`bicycle`"):
        assert part in answer.everything
    assert "bench.png" not in answer.everything
    await settled(slack, app)
    assert len(slack.replies(shared.ts)) == 1
    assert sorted(await entities(app, "ads")) == ["bench", "bicycle", "sofa"]


async def test_channels_minimum_score_applies(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads", bicycle=ORIGINAL)
    await watch(app, ChannelMode.GUARD, "ads", minimum=0)
    answer = await reply(slack, await slack.upload(NEW))
    assert "`bicycle`" in answer.everything
    await watch(app, ChannelMode.GUARD, "ads", minimum=10)
    shared = await slack.upload(slack.host(edited_copy(), "bike.jpg"))
    await settled(slack, app)
    assert slack.replies(shared.ts) == []
    assert await entities(app, "ads") == ["bicycle", "bike"]


@pytest.mark.parametrize("text", ["min:10", "in:logos", "in:nowhere", "min:lots", 'note:"never closed', "top:900"])
async def test_message_text_cannot_bypass_the_guard(slack: FakeSlack, start: Start, text: str) -> None:
    app = await start()
    await fill(app, "ads", bicycle=ORIGINAL)
    await fill(app, "logos")
    await watch(app, ChannelMode.GUARD, "ads")
    repost = await slack.upload(edited_copy(), text=text)
    assert "`bicycle`" in (await reply(slack, repost)).everything
    await settled(slack, app)
    assert (await entities(app, "ads"), await entities(app, "logos")) == (["bicycle"], [])
    assert [message for message in slack.transcript if message.to] == []


async def test_crash_after_the_add_does_not_make_the_original_a_repost(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "ads")
    await watch(app, ChannelMode.GUARD, "ads")
    check, crashes = RepostGuard.check, [ConnectionError("killed")]

    async def dies_afterwards(self: RepostGuard, *given: object) -> object:
        found = await check(self, *given)  # type: ignore[arg-type]
        if crashes:
            raise crashes.pop()
        return found

    monkeypatch.setattr(RepostGuard, "check", dies_afterwards)
    shared = await slack.upload(slack.host(ORIGINAL, "one.png"), slack.host(NEW, "two.png"))
    await settled(slack, app)
    assert sorted(await entities(app, "ads")) == ["one", "two"]
    assert slack.transcript == [shared]


async def test_unreadable_image_is_reported_to_its_author_only(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads")
    await watch(app, ChannelMode.GUARD, "ads")
    shared = await slack.upload(slack.host(ORIGINAL[:200], "broken.png"))
    assert "`broken.png`" in (await slack.wait_for_answer()).everything
    await settled(slack, app)
    assert slack.replies(shared.ts) == []
    assert slack.reactions(shared) == ["warning"]


async def private_original(slack: FakeSlack, start: Start, *, hints: bool) -> SlackApp:
    """Start with an image that the guard of a private channel added."""
    app = await start()
    slack.add_channel(THERE, "secrets", kind="private", members=["U0INSIDER"])
    await fill(app, "ads", sofa=OTHER)
    await app.services.storage.catalogue.set_hints(key_of(app, DatabaseName("ads")), hints_at_hidden=hints)
    for channel in (HERE, THERE):
        await watch(app, ChannelMode.GUARD, "ads", channel=channel)
    await slack.upload(slack.host(ORIGINAL, "secret_plan.png"), channel=THERE, user="U0INSIDER", text="do not tell")
    await settled(slack, app)
    assert await entities(app, "ads") == ["sofa", "secret_plan"]
    return app


@pytest.mark.parametrize("hints", [False, True])
async def test_copy_of_a_hidden_image_is_new_to_a_channel_that_cannot_see_it(
    slack: FakeSlack, start: Start, *, hints: bool
) -> None:
    app = await private_original(slack, start, hints=hints)
    copy = await slack.upload(slack.host(edited_copy(), "bike.jpg"), user="U0SELLER")
    await settled(slack, app)
    assert slack.replies(copy.ts) == []
    assert await entities(app, "ads") == ["sofa", "secret_plan", "bike"]
    # The answer to the next repost shows only what the channel may see.
    answer = await reply(slack, await slack.upload(edited_copy()))
    assert "`bike`" in answer.everything
    assert "by <@U0SELLER>" in answer.everything
    for part in ("secret_plan", "do not tell", THERE, "U0INSIDER"):
        assert part not in answer.everything
    inside = await slack.upload(edited_copy(), channel=THERE, user="U0INSIDER")
    assert "`secret_plan`" in (await reply(slack, inside)).everything
    await settled(slack, app)
    assert len(await entities(app, "ads")) == 3


async def test_same_picture_as_a_hidden_image_gets_an_origin_of_the_channel(slack: FakeSlack, start: Start) -> None:
    app = await private_original(slack, start, hints=False)
    first = await slack.upload(slack.host(ORIGINAL, "ours.png"), user="U0SELLER")
    await settled(slack, app)
    assert slack.replies(first.ts) == []
    _, record = await images_in(app, "ads")
    assert [origin.author for origin in record.origins] == ["U0INSIDER", "U0SELLER"]
    answer = await reply(slack, await slack.upload(ORIGINAL))
    assert "by <@U0SELLER>" in answer.everything
    for part in ("do not tell", THERE, "U0INSIDER"):
        assert part not in answer.everything


async def test_private_original_is_not_revealed_in_another_reposts_answer(slack: FakeSlack, start: Start) -> None:
    await private_original(slack, start, hints=False)
    shared = await slack.upload(slack.host(edited_copy(), "a.jpg"), slack.host(edited_copy(2), "b.jpg"))
    answer = await reply(slack, shared)
    assert "`sofa`" in answer.everything
    for part in ("a.jpg", "secret_plan", "do not tell", THERE):
        assert part not in answer.everything
