"""Who may press the buttons of a report, two people or processes at once, deaths in between, and old buttons."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp
from bot.domain.channels import NO_RULES, GuardRules, SettingsEditors
from bot.domain.channels.reports import ReportAction
from bot.storage.slack.moderation.actions import SqlReportActions
from handlers.moderation import report_sender
from handlers.moderation.report_editor import ReportEditor
from tests.fakes.slack import GENERAL, FakeSlack
from tests.scenario.moderation.buttons import ASK, FORGET, NEVER, OK, UNDO, act, now, offered, reported
from tests.scenario.moderation.reposts import (
    ADMIN,
    COPYCAT,
    MOD,
    copies_in,
    guard,
    report_in,
    repost,
)
from tests.scenario.support.requests import idle, key_of
from tests.scenario.support.shares import ORIGINAL, edited_copy, entities, running, settled


@pytest.mark.parametrize("action", [OK, NEVER, ASK, FORGET])
@pytest.mark.parametrize("user", [COPYCAT, "U0STRANGER"])
async def test_others_may_not_act(slack: FakeSlack, app: SlackApp, action: str, user: str) -> None:
    report = await reported(slack, app)
    told = await act(slack, app, report, action, user=user)
    assert "Only" in told
    assert "admins" in told
    assert slack.versions(report) == []
    assert await entities(app, "ads") == ["bicycle"]


@pytest.mark.parametrize("user", [COPYCAT, "U0STRANGER"])
async def test_others_may_not_undo(slack: FakeSlack, app: SlackApp, user: str) -> None:
    report = await reported(slack, app)
    await act(slack, app, report, OK)
    assert "Only" in await act(slack, app, report, UNDO, user=user)
    assert offered(slack, report) == {UNDO}


@pytest.mark.parametrize("rules", [NO_RULES, GuardRules(report_to=GENERAL)])
async def test_moderators_without_a_channel_of_their_own_are_those_who_may_change_settings(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch, rules: GuardRules
) -> None:
    monkeypatch.setattr(report_sender, "REPORTS_ALONE", 100)
    await guard(app, rules)
    slack.state.channels[GENERAL].creator = "U0CREATOR"
    workspace = key_of(app, "ads").workspace
    editors = SettingsEditors(everybody=False, creators=True, people=frozenset({"U0NAMED"}))
    await app.services.storage.editors.put(workspace, editors, ADMIN)
    for user, may in (("U0STRANGER", False), ("U0CREATOR", True), ("U0NAMED", True), (ADMIN, True), (COPYCAT, False)):
        shared = await repost(slack, app, ORIGINAL)
        report = copies_in(slack, GENERAL)[-1] if rules.report_to else report_in(slack, shared)
        assert ("Only" in await act(slack, app, report, OK, user=user)) is not may
    await app.services.storage.editors.put(workspace, SettingsEditors(), ADMIN)
    for user, may in (("U0STRANGER", True), (COPYCAT, False)):
        shared = await repost(slack, app, ORIGINAL)
        report = copies_in(slack, GENERAL)[-1] if rules.report_to else report_in(slack, shared)
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
