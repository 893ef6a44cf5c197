"""The buttons of a report: who may press them, what they do, and how each is undone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.app.slack_app import SlackApp
from bot.domain.channels import GuardRules, SettingsEditors
from bot.domain.channels.reports import ReportAction
from bot.domain.errors import BackendDown
from bot.services.images.deletion import DeleteService
from bot.storage.slack.moderation.actions import SqlReportActions
from bot.storage.sql.schema.tables import feedback_labels
from handlers.moderation.report_editor import ReportEditor
from tests.fakes.slack import GENERAL, FakeSlack, Message
from tests.fakes.slack.payloads import channel_object, interaction
from tests.scenario.conftest import Start, fill
from tests.scenario.moderation.reposts import (
    ADMIN,
    COPYCAT,
    MOD,
    MODS,
    copies_in,
    guard,
    posted,
    report_in,
    repost,
)
from tests.scenario.support.requests import action_ids, idle, key_of
from tests.scenario.support.shares import ORIGINAL, edited_copy, entities, images_in, running, settled

OK, NEVER, ASK, UNDO = "report_ok", "report_never", "report_ask", "report_undo"
NOT_SAME, FORGET = "report_not_same", "report_forget"


@pytest.fixture
async def app(slack: FakeSlack, start: Start) -> SlackApp:
    """A guard channel with an image, and reports that go to a channel for moderators."""
    app = await start()
    await fill(app, "ads")
    slack.add_channel(MODS, "mods", members=[MOD, "U0SECOND"])
    slack.add_person(ADMIN, "admin", is_admin=True)
    slack.add_person(COPYCAT, "copycat")
    await posted(app, ORIGINAL)
    await guard(app, GuardRules(report_to=MODS))
    return app


async def reported(slack: FakeSlack, app: SlackApp, content: bytes | None = None) -> Message:
    """Return the moderators' report about a new repost."""
    await repost(slack, app, edited_copy() if content is None else content)
    return copies_in(slack)[-1]


async def act(slack: FakeSlack, app: SlackApp, report: Message, action: str, *, user: str = MOD) -> str:
    """Press a button, or choose in the menu. Return what the person alone is told."""
    current = slack.current(report)
    assert current is not None
    before = len(slack.transcript)
    if action in {NOT_SAME, FORGET}:
        [value] = [one for one in _options(current) if one.startswith(f"{action}|")]
        await slack.press(report, "report_menu", user=user, value=value)
    else:
        await slack.press(report, action, user=user)
    await idle(app)
    return "\n".join(message.everything for message in slack.transcript[before:] if message.to == user)


def now(slack: FakeSlack, report: Message) -> Message:
    """Return a message as it is now."""
    current = slack.current(report)
    assert current is not None
    return current


def offered(slack: FakeSlack, report: Message) -> set[str]:
    """Return what a report offers now."""
    current = now(slack, report)
    names = {name.partition(":")[0] for name in action_ids(current)}
    return (names | {value.partition("|")[0] for value in _options(current)}) - {"report_menu"}


def _options(message: Message) -> list[str]:
    elements: list[dict[str, Any]] = [
        element for block in message.blocks if block["type"] == "actions" for element in block["elements"]
    ]
    return [option["value"] for element in elements for option in element.get("options", [])]


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
    first = slack.versions(report)[0]
    elements = [element for block in first.blocks if block["type"] == "actions" for element in block["elements"]]
    [old] = [element for element in elements if element["action_id"].startswith(action)]
    element = {"type": "button", "action_id": old["action_id"], "block_id": "old", "value": old["value"]}
    workspace = slack.state.workspace_of(report.channel)
    await slack.deliver(
        "interactive",
        interaction(slack.state, "block_actions", workspace, user)
        | {
            "container": {"type": "message", "message_ts": report.ts, "channel_id": report.channel},
            "trigger_id": slack.state.new_trigger(user, workspace, channel=report.channel),
            "channel": channel_object(slack.state, report.channel),
            "response_url": slack.state.new_response_url(report.channel, user, report.ts, from_message=True),
            "actions": [element],
        },
    )
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


async def _later(app: SlackApp, monkeypatch: pytest.MonkeyPatch, delay: timedelta) -> None:
    """Make the deletions that are due some time from now."""
    moment = datetime.now(UTC) + delay
    monkeypatch.setattr(app.due._actions, "_clock", lambda: moment)
    await app.due.run_once()


async def test_failed_deletion_is_tried_again(slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, FORGET, user=ADMIN)
    asked = [message for message in slack.transcript if message.to == ADMIN][-1]
    await slack.press(asked, "report_forget_now", user=ADMIN)
    await idle(app)
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
    await act(slack, app, report, FORGET, user=ADMIN)
    asked = [message for message in slack.transcript if message.to == ADMIN][-1]
    await slack.press(asked, "report_forget_now", user=ADMIN)
    await idle(app)
    await act(slack, app, report, UNDO, user=MOD)
    await _later(app, monkeypatch, timedelta(minutes=11))
    assert await entities(app, "ads") == ["bicycle"]


@pytest.mark.parametrize("action", [OK, NEVER, ASK, FORGET])
@pytest.mark.parametrize("user", [COPYCAT, "U0STRANGER"])
async def test_others_may_not_act(slack: FakeSlack, app: SlackApp, action: str, user: str) -> None:
    report = await reported(slack, app)
    told = await act(slack, app, report, action, user=user)
    assert "Only" in told
    assert "admins" in told
    assert slack.versions(report) == []
    assert await entities(app, "ads") == ["bicycle"]


async def test_moderators_without_a_channel_of_their_own_are_those_who_may_change_settings(
    slack: FakeSlack, app: SlackApp
) -> None:
    await guard(app)
    slack.state.channels[GENERAL].creator = "U0CREATOR"
    workspace = key_of(app, "ads").workspace
    editors = SettingsEditors(everybody=False, creators=True, people=frozenset({"U0NAMED"}))
    await app.services.storage.editors.put(workspace, editors, ADMIN)
    for user, may in (("U0STRANGER", False), ("U0CREATOR", True), ("U0NAMED", True), (ADMIN, True), (COPYCAT, False)):
        report = report_in(slack, await repost(slack, app, ORIGINAL))
        assert ("Only" in await act(slack, app, report, OK, user=user)) is not may
    await app.services.storage.editors.put(workspace, SettingsEditors(), ADMIN)
    for user, may in (("U0STRANGER", True), (COPYCAT, False)):
        report = report_in(slack, await repost(slack, app, ORIGINAL))
        assert ("Only" in await act(slack, app, report, OK, user=user)) is not may


async def test_two_moderators_at_once_settle_a_report_once(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    await asyncio.gather(slack.press(report, OK, user=MOD), slack.press(report, NEVER, user="U0SECOND"))
    await idle(app)
    told = [message.to for message in slack.transcript if message.to and "settled already" in message.everything]
    assert len(told) == 1
    assert told[0] in {MOD, "U0SECOND"}
    assert offered(slack, report) == {UNDO}


async def test_two_processes_settle_a_report_once(slack: FakeSlack, app: SlackApp, tmp_path: Path) -> None:
    report = await reported(slack, app)
    async with running(slack, tmp_path / "data") as other:
        stored = await app.services.storage.reports.get(key_of(app, "ads").workspace, 1)
        assert stored is not None
        taken = await asyncio.gather(
            app.services.storage.report_actions.take(stored, ReportAction.OK, MOD),
            other.services.storage.report_actions.take(stored, ReportAction.NEVER, "U0SECOND"),
        )
        assert [one is None for one in taken].count(True) == 1
        # The message has its old buttons. The next press explains, and edits it.
        before = len(slack.transcript)
        await slack.press(report, OK, user=MOD)
        await settled(slack, app, other)
        assert "settled already" in "".join(message.everything for message in slack.transcript[before:])
        assert offered(slack, report) == {UNDO}


async def test_death_between_action_and_edit_loses_nothing(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await reported(slack, app)
    with monkeypatch.context() as patches:

        async def dies(*given: object) -> None:
            raise SystemError("killed")

        patches.setattr(ReportEditor, "edit", dies)
        await act(slack, app, report, NEVER)
    assert slack.versions(report) == []
    assert slack.replies((await repost(slack, app, edited_copy())).ts) == []
    assert "settled already" in await act(slack, app, report, NEVER)
    assert f"Never matches again: <@{MOD}>" in now(slack, report).everything


async def test_death_before_the_author_is_asked_lets_the_next_press_ask(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await reported(slack, app)
    stored = await app.services.storage.reports.get(key_of(app, "ads").workspace, 1)
    assert stored is not None
    past = SqlReportActions(app.services.storage._database, lambda: datetime.now(UTC) - timedelta(minutes=5))
    await past.take(stored, ReportAction.ASK, MOD)
    assert await act(slack, app, report, ASK, user="U0SECOND") == ""
    assert len([message for message in slack.transcript if "asks you to remove it" in message.text]) == 1


async def test_late_undo_is_explained(slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, OK)
    with monkeypatch.context() as patches:
        patches.setattr("bot.domain.channels.reports.UNDO_FOR", timedelta(0))
        assert "too late to undo" in await act(slack, app, report, UNDO)
        # The message is edited, so that it offers no more than is possible.
        assert offered(slack, report) == set()


async def test_button_of_an_old_report_is_explained(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    await app.services.storage.reports.purge(datetime.now(UTC) + timedelta(days=1))
    assert "out of date" in await act(slack, app, report, NEVER)


async def test_button_of_another_channel_is_refused(slack: FakeSlack, app: SlackApp) -> None:
    report = await reported(slack, app)
    slack.add_channel("C0ELSEWHERE", "elsewhere", members=[MOD])
    forged = await slack.state.post(replace(report, channel="C0ELSEWHERE", ts=slack.state.ts()))
    assert "button" in await act(slack, app, forged, OK)
    assert slack.versions(report) == []
