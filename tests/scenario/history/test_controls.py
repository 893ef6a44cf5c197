"""Imports of histories: their buttons, Slack's limits, and what changes meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bot.app.slack_app import SlackApp
from bot.blocks.ids import ActionId
from bot.blocks.wording.imports import HISTORY_NEEDS_REINDEX
from bot.domain.catalogue import ImageRecord
from bot.domain.channels import ChannelMode
from bot.domain.errors import ModelMismatch
from bot.domain.identifiers import DatabaseKey, WorkspaceId
from bot.domain.jobs import HistoryImport, HistoryPage, HistoryStatus, NewHistoryImport
from bot.services.channels.collection import CollectService, SharedImage
from handlers.history import progress
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.past import hurry, import_of, notices, over, picture, unseen
from tests.scenario.support.requests import press, run_command
from tests.scenario.support.shares import entities, settled, watch

MESSAGES = 17


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker begin at once."""
    hurry(monkeypatch)


async def waiting(app: SlackApp, seconds: float) -> HistoryImport:
    """Wait until an import waits for so long at least, and return it."""
    for _ in range(500):
        given = await import_of(app)
        if given is not None and given.due_at > datetime.now(UTC) + timedelta(seconds=seconds):
            return given
        await asyncio.sleep(0.02)
    raise AssertionError("the import doesn't wait")


async def limited_import(slack: FakeSlack, app: SlackApp) -> tuple[HistoryImport, Message, str]:
    """Begin an import that waits for its second page, and return it with its message and the answer."""
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    slack.limit_histories(per_minute=1, page=15)
    answer = await run_command(slack, "import here")
    notice = await slack.wait_for(lambda one: one.channel == GENERAL and one.via == "chat.postMessage")
    given = await waiting(app, 10)
    assert (given.status, given.messages, given.is_limited) == (HistoryStatus.RUNNING, 15, True)
    return given, notice, answer.text


async def past_messages(slack: FakeSlack) -> list[Message]:
    """Let people share pictures while the bot is away."""
    with unseen(slack):
        return [await slack.upload(slack.host(picture(n), f"part {n:02}.jpg")) for n in range(MESSAGES)]


async def pass_a_minute(slack: FakeSlack, app: SlackApp, given: HistoryImport) -> None:
    """Let the import go on as if a minute had passed."""
    slack.state.passed += 60
    row = await app.services.storage.history.get(given.id)
    assert row is not None
    await app.services.storage._database.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE history_imports SET created_at = datetime(created_at, '-1 minutes')"
        )
    )
    await app.services.storage.history.postpone(given.id, datetime.now(UTC) - timedelta(seconds=1))


async def test_limited_app_says_how_long_it_takes_and_waits_a_minute_for_each_page(
    slack: FakeSlack, start: Start
) -> None:
    await past_messages(slack)
    app = await start()
    given, notice, answer = await limited_import(slack, app)
    assert "15 messages a minute: 1,000 messages take about 67 minutes." in answer
    assert "15 messages a minute" in notice.everything
    assert 30 < (given.due_at - datetime.now(UTC)).total_seconds() <= 60
    assert len(slack.calls("conversations.history")) == 1
    await pass_a_minute(slack, app, given)
    done = await over(app)
    assert (done.status, done.added) == (HistoryStatus.DONE, MESSAGES)
    assert await entities(app) == [f"part {n:02}" for n in range(MESSAGES)]


async def test_retry_after_is_obeyed(slack: FakeSlack, start: Start) -> None:
    await past_messages(slack)
    app = await start()
    given, _, _ = await limited_import(slack, app)
    slack.rate_limit("conversations.history", next_calls=1, retry_after_s=500)
    await pass_a_minute(slack, app, given)
    assert (await waiting(app, 400)).status is HistoryStatus.RUNNING


async def test_import_into_a_database_of_another_model_waits(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise ModelMismatch("parts")

    await past_messages(slack)
    app = await start()
    await fill(app, "parts")
    with monkeypatch.context() as patched:
        patched.setattr(CollectService, "prepare", refuse)
        await run_command(slack, "import here in:parts")
        given = await waiting(app, 5)
    assert (given.status, given.reason) == (HistoryStatus.RUNNING, HISTORY_NEEDS_REINDEX)
    await app.services.storage.history.postpone(given.id, datetime.now(UTC))
    assert (await over(app)).added == MESSAGES


async def test_history_is_listed_again_if_slack_forgets_its_cursor(slack: FakeSlack, start: Start) -> None:
    await past_messages(slack)
    app = await start()
    await fill(app, "parts")
    assert app.identity is not None
    slack.refuse_next("conversations.history", "invalid_cursor")
    new = NewHistoryImport(
        workspace=WorkspaceId(app.identity.workspace),
        enterprise="",
        channel=GENERAL,
        database="parts",
        latest="9999999999.000000",
    )
    await app.services.storage.history.start(new, HistoryPage(count=200, cursor="forgotten"))
    done = await over(app)
    # With the bot's own message.
    assert (done.status, done.messages, done.added) == (HistoryStatus.DONE, MESSAGES + 1, MESSAGES)


async def test_message_of_an_import_from_the_command_line_says_at_once_that_the_app_is_limited(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    await past_messages(slack)
    app = await start()
    await fill(app, "parts")
    assert app.identity is not None
    monkeypatch.setattr(progress, "EVERY_S", 600.0)
    slack.limit_histories(per_minute=1, page=15)
    new = NewHistoryImport(
        workspace=WorkspaceId(app.identity.workspace),
        enterprise="",
        channel=GENERAL,
        database="parts",
        latest="9999999999.000000",
    )
    await app.services.storage.history.start(new)
    await slack.wait_until(lambda: bool(notices(slack)) and "1,000 messages take" in notices(slack)[-1].everything)
    assert "an operator" in notices(slack)[-1].everything


async def test_live_shares_go_before_past_pictures(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await start()
    await fill(app, "parts")
    await watch(app, ChannelMode.COLLECT, "parts")
    waits: list[bool] = []
    collect = CollectService.collect

    async def observed(self: CollectService, key: DatabaseKey, shared: SharedImage) -> ImageRecord:
        waits.append(app.services.lookup.idle_s == 0)
        return await collect(self, key, shared)

    monkeypatch.setattr(CollectService, "collect", observed)
    await slack.wait_for_reaction(await slack.upload(slack.host(picture(1), "live.jpg")))
    await settled(slack, app)
    assert waits == [True]
    assert app.services.lookup.idle_s > 0


@pytest.mark.parametrize("since", ["", " since:90d"])
async def test_import_waits_if_slack_refuses_its_first_page(slack: FakeSlack, start: Start, since: str) -> None:
    await past_messages(slack)
    app = await start()
    await fill(app, "parts")
    slack.rate_limit("conversations.history", next_calls=1, retry_after_s=55)
    assert "15 messages a minute" in (await run_command(slack, f"import here in:parts{since}")).text
    given = await waiting(app, 30)
    await app.services.storage.history.postpone(given.id, datetime.now(UTC))
    assert (await over(app)).added == MESSAGES


async def test_only_who_started_it_and_admins_control_an_import(slack: FakeSlack, start: Start) -> None:
    slack.add_person("U0ADMIN", is_admin=True)
    await past_messages(slack)
    app = await start()
    given, notice, _ = await limited_import(slack, app)
    for action in (ActionId.PAUSE_HISTORY, ActionId.STOP_HISTORY):
        refused = await press(slack, notice, action, user="U0OTHER")
        assert refused.text.startswith("Only whoever started this import and admins")
    await slack.press(notice, ActionId.PAUSE_HISTORY, user=SOMEONE)
    await slack.wait_until(lambda: "paused" in notices(slack)[-1].text)
    await pass_a_minute(slack, app, given)
    await asyncio.sleep(0.2)
    paused = await import_of(app)
    assert paused is not None
    assert (paused.status, paused.messages) == (HistoryStatus.PAUSED, 15)
    refused = await press(slack, notices(slack)[-1], ActionId.RESUME_HISTORY, user="U0OTHER")
    assert "admins" in refused.text
    await slack.press(notices(slack)[-1], ActionId.RESUME_HISTORY, user="U0ADMIN")
    assert (await over(app)).added == MESSAGES
    await slack.wait_until(lambda: notices(slack)[-1].text.startswith("*Past pictures added*"))
    [last] = notices(slack)
    assert not [block for block in last.blocks if block["type"] == "actions"]


async def test_stopped_import_forgets_what_it_found(slack: FakeSlack, start: Start) -> None:
    await past_messages(slack)
    app = await start()
    given, notice, _ = await limited_import(slack, app)
    assert "already" in (await run_command(slack, "import here")).text
    await slack.press(notice, ActionId.STOP_HISTORY)
    assert (await over(app)).status is HistoryStatus.STOPPED
    assert not await app.services.storage.history.next_messages(given.id, 1)
    assert not await entities(app)
    [stopped] = notices(slack)
    assert stopped.text.startswith("*Import stopped*")


async def test_what_is_deleted_meanwhile_is_not_added(slack: FakeSlack, start: Start) -> None:
    messages = await past_messages(slack)
    app = await start()
    given, _, _ = await limited_import(slack, app)
    await slack.delete_message(messages[-1])
    await slack.delete_file(messages[-2].files[0])
    await settled(slack, app)
    left = [one.message for one in await app.services.storage.history.next_messages(given.id, 50)]
    assert len(left) == 13
    await pass_a_minute(slack, app, given)
    assert (await over(app)).status is HistoryStatus.DONE
    assert await entities(app) == [f"part {n:02}" for n in range(MESSAGES - 2)]


async def test_deletion_that_arrives_before_the_page_keeps_its_picture_out(slack: FakeSlack, start: Start) -> None:
    messages = await past_messages(slack)
    app = await start()
    given, _, _ = await limited_import(slack, app)
    await slack.delete_message(messages[0])
    await settled(slack, app)
    # Slack may answer from a copy that is older than the event.
    slack.state.messages.insert(0, messages[0])
    await pass_a_minute(slack, app, given)
    assert (await over(app)).status is HistoryStatus.DONE
    assert await entities(app) == [f"part {n:02}" for n in range(1, MESSAGES)]


async def test_import_ends_when_the_bot_is_removed_from_the_channel(slack: FakeSlack, start: Start) -> None:
    await past_messages(slack)
    app = await start()
    given, _, _ = await limited_import(slack, app)
    slack.state.channels[GENERAL].bot_is_member = False
    await pass_a_minute(slack, app, given)
    failed = await over(app)
    assert (failed.status, failed.reason) == (HistoryStatus.FAILED, "not_in_channel")


async def test_import_ends_when_the_channel_no_longer_adds_pictures(slack: FakeSlack, start: Start) -> None:
    await past_messages(slack)
    app = await start()
    given, _, _ = await limited_import(slack, app)
    await watch(app, ChannelMode.OFF)
    await pass_a_minute(slack, app, given)
    failed = await over(app)
    assert (failed.status, failed.reason) == (HistoryStatus.FAILED, "not_watched")
    await slack.wait_until(lambda: "no longer adds" in notices(slack)[-1].everything)


async def test_uninstalled_workspace_leaves_nothing_of_its_imports(slack: FakeSlack, start: Start) -> None:
    await past_messages(slack)
    app = await start()
    given, _, _ = await limited_import(slack, app)
    assert app.identity is not None
    await app.services.removal.remove_workspace(WorkspaceId(app.identity.workspace))
    history = app.services.storage.history
    assert await history.get(given.id) is None
    assert not await history.next_messages(given.id, 1)
