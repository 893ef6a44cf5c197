"""The buttons of a report: what they do, and how each is undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from bot.app.slack_app import SlackApp
from bot.domain.errors import BackendDown
from bot.services.images.deletion import DeleteService
from bot.storage.sql.schema.tables import feedback_labels
from tests.fakes.slack import GENERAL, FakeSlack, Message
from tests.scenario.moderation.buttons import (
    ASK,
    FORGET,
    NEVER,
    NOT_SAME,
    OK,
    UNDO,
    act,
    now,
    offered,
    press_payload,
    reported,
)
from tests.scenario.moderation.reposts import (
    ADMIN,
    COPYCAT,
    MOD,
    copies_in,
    repost,
)
from tests.scenario.support.requests import idle, key_of
from tests.scenario.support.shares import ORIGINAL, edited_copy, entities, images_in, settled


async def test_ok_settles_a_report_until_it_is_undone(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    assert offered(slack, report) == {OK, NEVER, ASK, NOT_SAME, FORGET}
    assert await act(slack, app, report, OK) == ""
    assert f"OK this time: <@{MOD}>, <!date^" in now(slack, report).everything
    assert offered(slack, report) == {UNDO}
    await act(slack, app, report, UNDO, user="U0SECOND")
    assert "undone by <@U0SECOND>" in now(slack, report).everything
    assert offered(slack, report) == {OK, NEVER, ASK, NOT_SAME, FORGET}
    # The message is edited in place.
    assert len(copies_in(slack)) == 1


async def test_pair_never_matches_again(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, NEVER)
    assert f"Never matches again: <@{MOD}>" in now(slack, report).everything
    again = await repost(slack, app, edited_copy(), user="U0THIRD")
    assert slack.replies(again.ts) == []
    assert await entities(app, "ads") == ["bicycle", "mine"]
    # Another copy of the original is still a repost, and so is a copy of the copy.
    assert slack.replies((await repost(slack, app, ORIGINAL, user="U0THIRD")).ts)
    await act(slack, app, report, UNDO)
    assert slack.replies((await repost(slack, app, edited_copy(), user="U0FOURTH")).ts)


async def test_pair_goes_with_its_image(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, NEVER)
    key = key_of(app, "ads")
    assert len(await app.services.storage.excluded_pairs.of(key)) == 1
    [record] = await images_in(app, "ads")
    await app.services.deletions.delete(key, record.entity)
    assert await app.services.storage.excluded_pairs.of(key) == ()


async def test_lookup_leaves_excluded_pairs_out(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    picture = await app.services.normaliser.picture(edited_copy())
    key = key_of(app, "ads")
    assert (await app.services.search.search(key, picture)).matches
    await act(slack, app, report, NEVER)
    assert not (await app.services.search.search(key, picture)).matches
    original = await app.services.normaliser.picture(ORIGINAL)
    assert (await app.services.search.search(key, original)).matches


async def test_anybody_may_say_that_it_is_not_the_same(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, NOT_SAME, user="U0SECOND")
    assert "Not the same: <@U0SECOND>" in now(slack, report).everything
    assert offered(slack, report) == {OK, NEVER, ASK, FORGET, UNDO}
    assert await _labels(app) == [(False, "U0SECOND")]
    await act(slack, app, report, UNDO, user="U0SECOND")
    assert await _labels(app) == []


async def test_label_goes_with_the_reported_message(slack: FakeSlack, app: SlackApp) -> None:
    shared = await repost(slack, app, edited_copy())
    await act(slack, app, copies_in(slack)[-1], NOT_SAME)
    assert await _labels(app) == [(False, MOD)]
    await slack.delete_message(shared)
    await settled(slack, app)
    assert await _labels(app) == []


async def _labels(app: SlackApp) -> list[tuple[bool, str]]:
    query = select(feedback_labels.c.is_same, feedback_labels.c.user, feedback_labels.c.fingerprint)
    rows = await app.services.storage._database.read(lambda connection: connection.execute(query).all())
    assert all(len(row.fingerprint) == 32 for row in rows)
    return [(row.is_same, row.user) for row in rows]


async def test_author_is_asked_once_and_politely(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, ASK)
    [asked] = [message for message in slack.transcript if "asks you to remove it" in message.text]
    assert slack.state.channels[asked.channel].members == [COPYCAT]
    assert f"<#{GENERAL}>" in asked.text
    assert f"Author asked to remove it: <@{MOD}>" in now(slack, report).everything
    # A button of the message as it was before says what was done.
    told = await _press_old(slack, app, report, ASK)
    assert "settled already: “Author asked to remove it”" in told
    assert len([message for message in slack.transcript if "asks you to remove it" in message.text]) == 1
    await act(slack, app, report, UNDO)
    assert slack.current(asked) is None
    assert ASK in offered(slack, report)


async def _press_old(slack: FakeSlack, app: SlackApp, report: Message, action: str, *, user: str = MOD) -> str:
    """Press a button of the first version of a message."""
    before = len(slack.transcript)
    await slack.deliver("interactive", press_payload(slack, slack.versions(report)[0], action, user=user))
    await idle(app)
    return "\n".join(message.everything for message in slack.transcript[before:] if message.to == user)


async def test_author_who_takes_no_messages_is_asked_in_the_channel(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    slack.refuse_next("chat.postMessage", "messages_tab_disabled")
    await act(slack, app, report, ASK)
    [asked] = [message for message in slack.transcript if "asks you to remove it" in message.text]
    assert (asked.channel, asked.to) == (GENERAL, COPYCAT)


async def test_original_is_forgotten_after_two_questions_and_some_minutes(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await reported(slack, app)
    question = await act(slack, app, report, FORGET, user=ADMIN)
    assert "Delete `bicycle` from `ads` for everyone? You can undo it for 10 minutes." in question
    asked = [message for message in slack.transcript if message.to == ADMIN][-1]
    button = next(one for block in asked.blocks if block["type"] == "actions" for one in block["elements"])
    assert button["confirm"]["title"]["text"] == "Delete the earlier image?"
    await slack.press(asked, "report_forget_now", user=ADMIN)
    await idle(app)
    assert f"Earlier image will be deleted in 10 minutes: <@{ADMIN}>" in now(slack, report).everything
    await _later(app, monkeypatch, timedelta(minutes=9))
    assert await entities(app, "ads") == ["bicycle"]
    await _later(app, monkeypatch, timedelta(minutes=11))
    # As after a crash.
    await app.due.run_once()
    assert await entities(app, "ads") == []
    assert f"Earlier image forgotten: <@{ADMIN}>" in now(slack, report).everything
    assert "the earlier image is gone" in now(slack, report).everything
    assert offered(slack, report) == set()


async def _forget(slack: FakeSlack, app: SlackApp, report: Message) -> None:
    await act(slack, app, report, FORGET, user=ADMIN)
    asked = [message for message in slack.transcript if message.to == ADMIN][-1]
    await slack.press(asked, "report_forget_now", user=ADMIN)
    await idle(app)


async def _later(app: SlackApp, monkeypatch: pytest.MonkeyPatch, delay: timedelta) -> None:
    """Make the deletions that are due some time from now."""
    moment = datetime.now(UTC) + delay
    monkeypatch.setattr(app.due._actions, "_clock", lambda: moment)
    await app.due.run_once()


async def test_only_somebody_who_may_delete_the_original_answers_the_last_question(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, FORGET, user=ADMIN)
    asked = [message for message in slack.transcript if message.to == ADMIN][-1]
    await slack.deliver("interactive", press_payload(slack, asked, "report_forget_now", user=COPYCAT))
    await idle(app)
    told = [message for message in slack.transcript if message.to == COPYCAT][-1]
    assert "Only whoever added these images" in told.everything
    await _later(app, monkeypatch, timedelta(minutes=11))
    assert await entities(app, "ads") == ["bicycle"]
    assert FORGET in offered(slack, report)


async def test_failed_deletion_is_tried_again(slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch) -> None:
    report = await reported(slack, app)
    await _forget(slack, app, report)
    with monkeypatch.context() as patches:

        async def down(*given: object) -> None:
            raise BackendDown("down")

        patches.setattr(DeleteService, "delete", down)
        await _later(app, monkeypatch, timedelta(minutes=11))
    assert await entities(app, "ads") == ["bicycle"]
    await app.due.run_once()
    assert await entities(app, "ads") == []


async def test_forgetting_can_be_undone(slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch) -> None:
    report = await reported(slack, app)
    await _forget(slack, app, report)
    await act(slack, app, report, UNDO, user=MOD)
    await _later(app, monkeypatch, timedelta(minutes=11))
    assert await entities(app, "ads") == ["bicycle"]


async def test_original_is_forgotten_although_the_repost_is_deleted(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = await repost(slack, app, edited_copy())
    await _forget(slack, app, copies_in(slack)[-1])
    await slack.delete_message(shared)
    await settled(slack, app)
    await _later(app, monkeypatch, timedelta(minutes=9))
    assert await entities(app, "ads") == ["bicycle"]
    await _later(app, monkeypatch, timedelta(minutes=11))
    assert await entities(app, "ads") == []
    # The report goes after it.
    await app.due.run_once()
    assert await app.services.storage.reports.of_message(key_of(app, "ads").workspace, GENERAL, shared.ts) == ()
