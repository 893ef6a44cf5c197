"""Reports, actions, excluded pairs, labels and editors in SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.channels import NO_RULES, ChannelBinding, ChannelMode, FileKind, GuardRules, SettingsEditors
from bot.domain.channels.reports import NewReport, Report, ReportAction, ReportedMatch
from bot.domain.errors import UnknownDatabase
from bot.domain.identifiers import DatabaseKey, DatabaseName, DataId, WorkspaceId
from bot.domain.matches import Edit, Verdict
from bot.storage.slack.moderation.actions import SqlReportActions
from bot.storage.sql_storage import SqlStorage
from tests.fixtures.records import image_record

TEAM = WorkspaceId("T1")
ADS = DatabaseKey(TEAM, DatabaseName("ads"))
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MATCH = ReportedMatch(DataId("d1"), 9.5, Verdict.EDITED, (Edit.CROPPED, Edit.MIRRORED))
PRINT = b"p" * 32
NEW = NewReport(TEAM, "C1", "1.1", "1.0", "F1", "a.png", "U1", ADS.name, "digest", PRINT, NOW, (MATCH,), is_shown=True)


@pytest.fixture
async def storage(storage: SqlStorage) -> SqlStorage:
    await storage.catalogue.create_database(ADS)
    await storage.catalogue.add(image_record(database=ADS, data_id=DataId("d1"), added_at=NOW))
    return storage


async def stored(storage: SqlStorage, report: Report) -> Report:
    found = await storage.reports.get(TEAM, report.id)
    assert found is not None
    return found


async def test_report_is_stored_once_and_read_again(storage: SqlStorage) -> None:
    report = await storage.reports.create(NEW)
    assert (await storage.reports.create(NEW)).id == report.id
    assert (await stored(storage, report)).about == NEW
    assert await storage.reports.get(WorkspaceId("T2"), report.id) is None
    other = await storage.reports.create(replace(NEW, message="1.2", posted_at=NOW + timedelta(minutes=1)))
    assert await storage.reports.earlier(other) == {NEW.message}
    assert await storage.reports.earlier(report) == set()
    assert [one.id for one in await storage.reports.of_file(TEAM, "F1")] == [report.id, other.id]
    assert await storage.reports.of_file(TEAM, "F9") == ()
    await storage.reports.set_thread([report.id], "1.3")
    await storage.reports.set_copy([report.id], "C2", "2.1", is_grouped=True)
    [grouped] = await storage.reports.grouped(TEAM, "C2", "2.1")
    assert (grouped.thread_ts, grouped.copy_channel, grouped.copy_ts, grouped.is_grouped) == ("1.3", "C2", "2.1", True)


async def test_reports_go_with_messages_files_images_and_databases(storage: SqlStorage) -> None:
    report = await storage.reports.create(NEW)
    await storage.reports.forget(TEAM, channel="C1", message="9.9")
    await storage.reports.forget(TEAM, file="F9")
    await storage.catalogue.remove(ADS, (await storage.catalogue.records(ADS, [DataId("d1")]))[DataId("d1")].entity)
    assert (await stored(storage, report)).about.matches == ()
    await storage.reports.forget(TEAM, file="F1")
    assert await storage.reports.get(TEAM, report.id) is None
    again = await storage.reports.create(NEW)
    await storage.reports.purge(NOW + timedelta(days=4000))
    assert await storage.reports.get(TEAM, again.id) is None
    last = await storage.reports.create(NEW)
    await storage.catalogue.delete_database(ADS)
    assert await storage.reports.get(TEAM, last.id) is None
    with pytest.raises(UnknownDatabase):
        await storage.reports.create(NEW)


async def test_pairs_exclude_until_they_are_undone(storage: SqlStorage) -> None:
    report = await storage.reports.create(NEW)
    before = (await storage.catalogue.database(ADS)).revision
    taken = await storage.report_actions.take(report, ReportAction.NEVER, "U2")
    assert taken is not None
    [pair] = await storage.excluded_pairs.of(ADS)
    assert (pair.data_id, pair.digest, pair.fingerprint, pair.partner) == ("d1", "digest", PRINT, None)
    # Cached results are of another revision.
    assert (await storage.catalogue.database(ADS)).revision > before
    assert await storage.report_actions.take(report, ReportAction.OK, "U3") is None
    assert await storage.report_actions.undo(report, taken.id, "U3") is not None
    assert await storage.report_actions.undo(report, taken.id, "U3") is None
    assert await storage.excluded_pairs.of(ADS) == ()
    assert await storage.report_actions.take(report, ReportAction.OK, "U3") is not None


async def test_pairs_and_labels_of_a_workspace_are_forgotten(storage: SqlStorage) -> None:
    report = await storage.reports.create(NEW)
    for action in (ReportAction.NEVER, ReportAction.NOT_SAME):
        assert await storage.report_actions.take(report, action, "U2")
    await storage.excluded_pairs.forget_workspace(WorkspaceId("T2"))
    assert len(await storage.excluded_pairs.of(ADS)) == 1
    await storage.excluded_pairs.forget_workspace(TEAM)
    assert await storage.excluded_pairs.of(ADS) == ()


async def test_deletion_is_due_later_unless_undone(storage: SqlStorage) -> None:
    report = await storage.reports.create(NEW)
    moment = datetime.now(UTC)
    actions = SqlReportActions(storage._database, lambda: moment)
    taken = await actions.take(report, ReportAction.FORGET, "U2", "d1")
    assert taken is not None
    assert await actions.due() == ()
    moment += timedelta(minutes=11)
    [(due, action)] = await actions.due()
    assert (due.id, action.place) == (report.id, "d1")
    assert await actions.undo(report, taken.id, "U2") is None
    await actions.finish(taken.id)
    assert await actions.due() == ()


async def test_rules_and_editors_are_stored(storage: SqlStorage) -> None:
    rules = GuardRules(30, people=frozenset({"U1"}), exempt=frozenset({FileKind.GIF}), report_to="C2", quiet=True)
    binding = ChannelBinding(TEAM, "C1", ChannelMode.GUARD, ADS.name, 9.0, "U1", rules)
    await storage.bindings.put(binding)
    assert await storage.bindings.get(TEAM, "C1") == binding
    await storage.bindings.put(replace(binding, rules=NO_RULES))
    assert await storage.bindings.get(TEAM, "C1") == replace(binding, rules=NO_RULES)
    editors = SettingsEditors(everybody=False, creators=True, people=frozenset({"U1"}))
    assert await storage.editors.get(TEAM) == SettingsEditors()
    await storage.editors.put(TEAM, editors, "U1")
    assert await storage.editors.get(TEAM) == editors
    assert await storage.editors.get(WorkspaceId("T2")) == SettingsEditors()
    await storage.editors.forget_workspace(TEAM)
    assert await storage.editors.get(TEAM) == SettingsEditors()
