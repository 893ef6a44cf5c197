"""The status that Slack shows in a thread while an answer takes longer than a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.app.slack_app import SlackApp
from bot.blocks.wording.errors import STATUS
from bot.domain.errors import BackendTimeout
from bot.domain.identifiers import WorkspaceId
from handlers.replies.delivery import thread_status
from handlers.replies.delivery.thread_status import STATUS_AFTER_S, Thread, ThreadStatuses
from tests.fakes.slack import GENERAL, FakeSlack, Message
from tests.scenario.conftest import Start, fill
from tests.scenario.support.requests import VALVE
from tests.scenario.support.shares import retry_at_once, settled

METHOD = "assistant.threads.setStatus"


async def until(is_so: Callable[[], Any]) -> None:
    for _ in range(2000):
        if is_so():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never came")


@pytest.fixture
async def app(slack: FakeSlack, start: Start) -> SlackApp:
    """A bot with one image."""
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)
    return app


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_status, "STATUS_AFTER_S", 0.01)
    monkeypatch.setattr(thread_status, "LEAST_DELAY_S", 0.01)


async def slow_share(slack: FakeSlack, called: int) -> tuple[Message, asyncio.Event]:
    """Share a picture whose download hangs until the event, and wait for a number of calls of the method."""
    released = asyncio.Event()
    file = slack.host(VALVE, "valve.png")
    file.held = released
    shared = await slack.upload(file)
    await until(lambda: len(slack.calls(METHOD)) == called)
    return shared, released


def statuses(slack: FakeSlack) -> list[str]:
    """Return what the app set, oldest first."""
    return [call.args["status"] for call in slack.calls(METHOD)]


@pytest.mark.usefixtures("_soon")
async def test_slow_answer_shows_a_status_and_ends_it(slack: FakeSlack, app: SlackApp) -> None:
    shared, released = await slow_share(slack, 1)
    await until(lambda: slack.state.statuses)
    assert slack.state.statuses == {(GENERAL, shared.ts): STATUS}
    released.set()
    assert "`valve_0042`" in (await slack.wait_for_reply(shared.channel, shared.ts)).everything
    await settled(slack, app)
    assert slack.state.statuses == {}
    # Slack clears it with the answer.
    assert statuses(slack) == [STATUS]


@pytest.mark.usefixtures("_soon")
async def test_question_about_a_thread_shows_a_status_there(slack: FakeSlack, app: SlackApp) -> None:
    await settled(slack, app)
    file = slack.host(VALVE, "valve.png")
    shared = await slack.upload(file)
    await slack.wait_for_reply(shared.channel, shared.ts)
    await settled(slack, app)
    slack.state.calls.clear()
    file.held = released = asyncio.Event()
    asked = await slack.say("what is this?", mention=True, thread_ts=shared.ts)
    await until(lambda: slack.state.statuses)
    assert slack.state.statuses == {(GENERAL, asked.thread_ts): STATUS}
    released.set()
    await until(lambda: len(slack.replies(shared.ts)) > 1)
    await settled(slack, app)
    assert slack.state.statuses == {}
    assert statuses(slack) == [STATUS]


async def test_quick_answer_asks_for_no_status(
    slack: FakeSlack, app: SlackApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert STATUS_AFTER_S == 1
    # On a busy machine, the answer may take longer than a second.
    monkeypatch.setattr(thread_status, "STATUS_AFTER_S", 60)
    shared = await slack.upload(VALVE)
    await slack.wait_for_reply(shared.channel, shared.ts)
    await settled(slack, app)
    assert slack.calls(METHOD) == []


@pytest.mark.usefixtures("_soon")
async def test_status_is_cleared_if_nothing_is_posted(
    slack: FakeSlack, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    retry_at_once(monkeypatch)
    app = await start()
    await fill(app, "parts", valve_0042=VALVE)

    async def fails(*_: Any) -> Any:
        # Attempts that fail at once show no status, or clear it again.
        await until(lambda: slack.calls(METHOD))
        raise BackendTimeout("slow")

    monkeypatch.setattr(type(app.services.visual), "search", fails)
    shared = await slack.upload(VALVE)
    await settled(slack, app)
    await until(lambda: not slack.state.statuses and statuses(slack)[-1] == "")
    assert statuses(slack)[0] == STATUS
    assert slack.replies(shared.ts) == []


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "not_allowed_token_type"])
async def test_refusal_leaves_the_answer_alone_and_is_not_repeated(slack: FakeSlack, app: SlackApp, error: str) -> None:
    slack.refuse_next(METHOD, error, times=9)
    for _ in range(2):
        shared, released = await slow_share(slack, 1)
        await asyncio.sleep(0.05)
        released.set()
        assert "`valve_0042`" in (await slack.wait_for_reply(shared.channel, shared.ts)).everything
    await settled(slack, app)
    assert len(slack.calls(METHOD)) == 1


def thread_of(ts: str, workspace: str = "T0FAKE", waited_s: float = 0.0) -> Thread:
    return Thread(WorkspaceId(workspace), GENERAL, ts, waited_s)


def refusal(code: str) -> SlackApiError:
    return SlackApiError("refused", {"ok": False, "error": code})  # type: ignore[no-untyped-call]


class Client:
    """A Slack that answers when the test says so."""

    def __init__(self, error: Exception | None = None) -> None:
        self.statuses: list[str] = []
        self.answers = asyncio.Event()
        self._error = error

    async def assistant_threads_setStatus(self, *, channel_id: str, thread_ts: str, status: str) -> None:  # noqa: N802
        self.statuses.append(status)
        await self.answers.wait()
        if self._error is not None:
            raise self._error


@pytest.mark.usefixtures("_soon")
async def test_answer_does_not_wait_for_a_status_which_is_cleared_if_it_came_late() -> None:
    shown, client = ThreadStatuses(), Client()
    async with shown.shown(client, thread_of("1.2"), lambda: True):  # type: ignore[arg-type]
        await until(lambda: client.statuses)
    # The answer is out, though Slack hasn't answered yet.
    assert client.statuses == [STATUS]
    client.answers.set()
    await until(lambda: client.statuses == [STATUS, ""])
    await shown.close()


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize(
    ("error", "asked_again"),
    [
        (refusal("unknown_method"), False),
        (refusal("thread_not_found"), True),
        (OSError("no network"), True),
        (ValueError("an answer that nobody expected"), True),
    ],
)
async def test_only_a_workspace_without_the_method_is_left_alone(error: Exception, *, asked_again: bool) -> None:
    shown, client = ThreadStatuses(), Client(error)
    client.answers.set()
    for workspace, calls in (("T1", 1), ("T1", 2 if asked_again else 1), ("T2", 3 if asked_again else 2)):
        async with shown.shown(client, thread_of("1.2", workspace), lambda: True):  # type: ignore[arg-type]
            await asyncio.sleep(0.05)
        assert client.statuses.count(STATUS) == calls
    await shown.close()


async def test_request_that_waited_in_the_queue_shows_its_status_sooner() -> None:
    delays: list[float] = []

    async def sleep(seconds: float) -> None:
        delays.append(round(seconds, 2))
        await asyncio.Event().wait()

    shown = ThreadStatuses(sleep)
    for waited_s in (0.0, 0.4, 60.0):
        async with shown.shown(Client(), thread_of("1.2", waited_s=waited_s)):  # type: ignore[arg-type]
            await asyncio.sleep(0.01)
    await shown.close()
    assert delays == [1.0, 0.6, 0.3]
