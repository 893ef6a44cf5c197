"""What a guard's report says, who sees it, and where it goes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.messages.reports import REPORTS_IN_MESSAGE
from bot.domain.channels import ChannelKind, GuardRules
from handlers.moderation import report_sender
from handlers.moderation.report_sender import ReportSender
from handlers.replies import delivery
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.moderation.reposts import (
    COPYCAT,
    LEA,
    MOD,
    MODS,
    copies_in,
    guard,
    posted,
    report_in,
    repost,
)
from tests.scenario.support.requests import action_ids, shown_pictures
from tests.scenario.support.shares import NEW, ORIGINAL, OTHER, edited_copy, retry_at_once, settled

CLOSED = "C0CLOSED"


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    retry_at_once(monkeypatch)


@pytest.fixture
async def app(slack: FakeSlack, start: Start) -> SlackApp:
    """A bot with an empty database, and a channel for reports."""
    app = await start()
    await fill(app, "ads")
    slack.add_channel(MODS, "mods", members=[MOD])
    return app


def dates(message: Message) -> int:
    """Return how many dates a message leaves to Slack."""
    return message.everything.count("<!date^")


async def test_report_says_who_posted_the_image_first(slack: FakeSlack, app: SlackApp) -> None:
    await guard(app)
    ts = await posted(app, ORIGINAL, days_ago=27)
    report = report_in(slack, await repost(slack, app, edited_copy()))
    said = report.everything
    assert f"*Posted before* by <@{LEA}> on <!date^{int(float(ts))}^{{date_short}}|" in said
    assert f"in <#{GENERAL}> (edited: cropped)." in said
    assert f"Now by <@{COPYCAT}>: mine.png" in said
    assert "`bicycle`" in said
    assert "original message>" in said
    assert "time since" not in said
    # Both pictures are next to the text, each with a text for screen readers.
    assert [picture["alt_text"] for picture in shown_pictures(report)] == [
        "The earlier image: bicycle",
        "The image that was posted again: mine.png",
    ]
    assert report.text.startswith("An image from")


async def test_further_reposts_are_counted(slack: FakeSlack, app: SlackApp) -> None:
    await guard(app)
    first = await posted(app, ORIGINAL, days_ago=60)
    for _ in range(2):
        await repost(slack, app, ORIGINAL)
    report = report_in(slack, await repost(slack, app, edited_copy(), user="U0THIRD"))
    assert f"4th time since <!date^{int(float(first))}^" in report.everything
    assert f"by <@{LEA}>" in report.everything


async def test_asked_file_is_named_when_several_were_posted(slack: FakeSlack, app: SlackApp) -> None:
    await guard(app)
    await posted(app, ORIGINAL)
    await posted(app, OTHER, "sofa", author=MOD)
    report = report_in(slack, await repost(slack, app, NEW, OTHER, ORIGINAL))
    for part in ("1. mine1.png", f"by <@{MOD}>", "2. mine2.png", f"by <@{LEA}>"):
        assert part in report.everything
    assert "mine.png" not in report.everything
    assert report.text.startswith("2 images from")


async def test_operators_image_has_no_author(slack: FakeSlack, start: Start) -> None:
    app = await start()
    await fill(app, "ads", bicycle=ORIGINAL)
    await guard(app)
    assert "*Posted before* in `ads` since <!date^" in report_in(slack, await repost(slack, app, ORIGINAL)).everything


async def test_weak_match_is_not_called_a_repost(slack: FakeSlack, app: SlackApp) -> None:
    await posted(app, OTHER, "sofa")
    await guard(app, minimum=0)
    said = report_in(slack, await repost(slack, app, NEW)).everything
    assert "Looks like an image" in said
    assert "osted before" not in said


async def test_originals_that_readers_cannot_see_are_not_told(slack: FakeSlack, app: SlackApp) -> None:
    slack.add_channel(CLOSED, "closed", kind="private", members=["U0INSIDER"])
    await posted(app, ORIGINAL, "secret", author="U0INSIDER", channel=CLOSED, kind=ChannelKind.PRIVATE, days_ago=9)
    await guard(app)
    first = await repost(slack, app, ORIGINAL)
    assert slack.replies(first.ts) == []
    report = report_in(slack, await repost(slack, app, ORIGINAL, user="U0THIRD"))
    assert f"by <@{COPYCAT}>" in report.everything
    for part in ("U0INSIDER", CLOSED, "secret", "3rd time"):
        assert part not in report.everything


async def test_copy_goes_to_the_channel_for_reports(slack: FakeSlack, app: SlackApp) -> None:
    await guard(app, GuardRules(report_to=MODS))
    await posted(app, ORIGINAL, days_ago=27)
    shared = await repost(slack, app, ORIGINAL)
    [copy] = copies_in(slack)
    assert f"*Posted before* by <@{LEA}>" in copy.everything
    assert f"Now by <@{COPYCAT}> in <#{GENERAL}>: mine.png" in copy.everything
    assert f"p{shared.ts.replace('.', '')}|repost>" in copy.everything
    assert "report_ok" in {name.partition(":")[0] for name in action_ids(copy)}
    # In the thread, where everybody reads, there are no buttons for moderators.
    assert action_ids(report_in(slack, shared)) == []


async def test_quiet_channel_gets_a_reaction_alone(slack: FakeSlack, app: SlackApp) -> None:
    await posted(app, ORIGINAL)
    for rules in (GuardRules(quiet=True), GuardRules(quiet=True, report_to=MODS)):
        await guard(app, rules)
        shared = await repost(slack, app, ORIGINAL)
        assert slack.replies(shared.ts) == []
        assert slack.reactions(shared) == ["repeat"]
        assert len(copies_in(slack)) == bool(rules.report_to)


async def test_copy_is_checked_when_it_is_sent(slack: FakeSlack, app: SlackApp) -> None:
    slack.add_channel(CLOSED, "closed", kind="private", members=[LEA, COPYCAT])
    await posted(app, ORIGINAL, channel=CLOSED, kind=ChannelKind.PRIVATE)
    await guard(app, GuardRules(report_to=MODS), channel=CLOSED)
    # A moderator who isn't in the channel may not see its images.
    shared = await repost(slack, app, ORIGINAL, channel=CLOSED)
    assert copies_in(slack) == []
    assert "report_ok" in {name.partition(":")[0] for name in action_ids(report_in(slack, shared))}
    slack.state.channels[MODS].bot_is_member = False
    await repost(slack, app, ORIGINAL, channel=CLOSED)
    assert copies_in(slack) == []


async def test_moderators_who_are_all_in_a_private_channel_get_its_reports(slack: FakeSlack, app: SlackApp) -> None:
    slack.add_channel(CLOSED, "closed", kind="private", members=[LEA, COPYCAT, MOD])
    await posted(app, ORIGINAL, channel=CLOSED, kind=ChannelKind.PRIVATE)
    await guard(app, GuardRules(report_to=MODS), channel=CLOSED)
    await repost(slack, app, ORIGINAL, channel=CLOSED)
    assert f"by <@{LEA}>" in copies_in(slack)[0].everything


async def test_copy_is_not_sent_about_an_original_that_moderators_cannot_see(slack: FakeSlack, app: SlackApp) -> None:
    slack.add_channel(CLOSED, "closed", kind="private", members=[LEA])
    slack.add_channel("C0HALF", "half", kind="private", members=[LEA, SOMEONE])
    slack.add_channel("C0INNER", "inner", kind="private", members=[LEA])
    await posted(app, ORIGINAL, channel="C0HALF", kind=ChannelKind.PRIVATE, author="U0HALF")
    await guard(app, GuardRules(report_to=MODS), channel="C0HALF")
    shared = await repost(slack, app, ORIGINAL, channel="C0HALF", user=LEA)
    assert "U0HALF" in report_in(slack, shared).everything
    assert copies_in(slack) == []


@pytest.mark.parametrize("dies", ["before the copy", "after the copy", "after the reply"])
@pytest.mark.parametrize("pictures", [1, REPORTS_IN_MESSAGE + 1])
async def test_crash_doubles_no_report(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch, dies: str, pictures: int
) -> None:
    await guard(app, GuardRules(report_to=MODS))
    await posted(app, ORIGINAL)
    crashes = [ConnectionError("killed")]
    if dies == "after the reply":
        monkeypatch.setattr(ReportSender, "record", _dying(ReportSender.record, crashes, first=True))
    else:
        post = _dying(delivery.post_editable, crashes, first=dies == "before the copy")
        monkeypatch.setattr(delivery, "post_editable", post)
    shared = await repost(slack, app, *[ORIGINAL] * pictures)
    assert crashes == []
    messages = 1 if pictures == 1 else 2
    assert len(copies_in(slack)) == messages
    assert len(slack.replies(shared.ts)) == messages
    again = await repost(slack, app, ORIGINAL)
    assert "3rd time" in report_in(slack, again).everything


def _dying(
    function: Callable[..., Awaitable[object]], crashes: list[ConnectionError], *, first: bool
) -> Callable[..., Awaitable[object]]:
    async def dies(*given: object, **named: object) -> object:
        if first and crashes:
            raise crashes.pop()
        result = await function(*given, **named)
        if crashes:
            raise crashes.pop()
        return result

    return dies


async def test_many_reports_in_a_short_time_become_one(slack: FakeSlack, app: SlackApp) -> None:
    await guard(app, GuardRules(report_to=MODS, quiet=True))
    await posted(app, ORIGINAL)
    for _ in range(report_sender.REPORTS_ALONE + 12):
        await repost(slack, app, ORIGINAL)
    *alone, many = copies_in(slack)
    assert len(alone) == report_sender.REPORTS_ALONE
    assert f"*12 more reposts* in <#{GENERAL}>" in many.everything
    assert many.everything.count("archives") == 10
    assert "and 2 others" in many.everything
    assert len(slack.versions(many)) == 11


async def test_many_replies_in_threads_become_one_message_in_the_channel(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_sender, "REPLIES_ALONE", 2)
    await guard(app)
    await posted(app, ORIGINAL)
    shared = [await repost(slack, app, ORIGINAL) for _ in range(5)]
    assert [len(slack.replies(one.ts)) for one in shared] == [1, 1, 0, 0, 0]
    [many] = [message for message in copies_in(slack, GENERAL) if "more reposts" in message.text]
    assert f"*3 more reposts* in <#{GENERAL}>" in many.everything


async def test_deleted_message_about_many_reports_is_followed_by_another(slack: FakeSlack, app: SlackApp) -> None:
    await guard(app, GuardRules(report_to=MODS, quiet=True))
    await posted(app, ORIGINAL)
    for _ in range(report_sender.REPORTS_ALONE + 2):
        await repost(slack, app, ORIGINAL)
    await slack.delete_message(copies_in(slack)[-1])
    for _ in range(2):
        await repost(slack, app, ORIGINAL)
    assert f"*2 more reposts* in <#{GENERAL}>" in copies_in(slack)[-1].everything


@pytest.mark.parametrize("only_file", [False, True])
async def test_deleted_message_takes_its_report_along(slack: FakeSlack, app: SlackApp, only_file: bool) -> None:
    await guard(app)
    await posted(app, ORIGINAL)
    shared = await repost(slack, app, ORIGINAL)
    reports = app.services.storage.reports
    assert app.identity is not None
    workspace = (await app.services.storage.catalogue.connected())[0][0]
    assert len(await reports.of_message(workspace, GENERAL, shared.ts)) == 1
    if only_file:
        # The message stays.
        await (await slack.unshare_file(shared.files[0], shared))
    else:
        await slack.delete_message(shared)
    await settled(slack, app)
    assert await reports.of_message(workspace, GENERAL, shared.ts) == ()
