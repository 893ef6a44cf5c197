"""The listener wrapper: request ids, one sentence for any error, and waiting for running requests."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from bot.blocks.wording.errors import FAILED, SLACK_BUSY, STILL_WORKING
from bot.domain.errors import BackendCredentials, BackendDown, BackendError, BackendQuota, InvalidInput, RetryLater
from bot.telemetry import logs
from bot.telemetry.metrics import NullMetrics
from handlers import errors as guard_module
from handlers.errors import ListenerWrapper, report_errors, with_progress
from tests.unit.handlers.test_slack_errors import slack_error

SECRET = "xoxb-1234567890-very-secret"
URL = "https://hooks.slack.com/commands/T1/2/geheim"

log = logging.getLogger("handlers.test")


@pytest.fixture
def log_output() -> Iterator[io.StringIO]:
    """The output of the program's log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.TextFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


class RecordedSentences:
    """Records the sentences sent to the requester."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sentences: list[str] = []
        self._error = error

    async def __call__(self, sentence: str) -> None:
        self.sentences.append(sentence)
        if self._error:
            raise self._error


async def fail(error: Exception) -> None:
    raise error


class CountingMetrics(NullMetrics):
    """Counts back-end errors."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def backend_error(self, kind: str) -> None:
        self.failures.append(kind)


def ids(written: io.StringIO) -> list[str]:
    return [line.split()[3] for line in written.getvalue().splitlines() if " handlers." in line]


async def test_log_lines_of_a_request_share_a_unique_id(log_output: io.StringIO) -> None:
    async def listen(name: str) -> None:
        log.info("%s begins", name)
        await asyncio.sleep(0.001)
        log.info("%s ends", name)

    guarded = ListenerWrapper().wrap(listen)
    await asyncio.gather(guarded(name="one"), guarded(name="two"))
    lines = [line for line in log_output.getvalue().splitlines() if "handlers.test" in line]
    requests = {name: {line.split()[3] for line in lines if f"{name} " in line} for name in ("one", "two")}
    assert len(requests["one"]) == len(requests["two"]) == 1
    assert requests["one"] != requests["two"]
    log.info("outside")
    assert ids(log_output)[-1] == "-"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"failed with {SECRET}"),
        slack_error({"ok": False, "error": "invalid_auth", "token": SECRET}),
        KeyError(),
    ],
)
async def test_listener_error_is_logged_without_secrets_and_not_raised(
    log_output: io.StringIO, error: Exception
) -> None:
    async def listen() -> None:
        raise error

    await ListenerWrapper().wrap(listen)()
    assert "ERROR" in log_output.getvalue()
    assert SECRET not in log_output.getvalue()
    assert len(set(ids(log_output))) == 1


async def test_cancelled_listener_is_not_logged_as_an_error() -> None:
    guard = ListenerWrapper()

    async def listen() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await guard.wrap(listen)()
    assert await guard.drain(1) == 0


def test_delivery_keys_are_new_only_once() -> None:
    now = 0.0
    guard = ListenerWrapper(lambda: now)
    assert guard.is_first_delivery("event", "message")
    assert not guard.is_first_delivery("event")
    assert not guard.is_first_delivery("other", "message")
    assert not guard.is_first_delivery("other")
    now = 61 * 60.0
    assert guard.is_first_delivery("event")


async def test_drain_waits_for_running_requests(log_output: io.StringIO) -> None:
    guard, go_on, done = ListenerWrapper(), asyncio.Event(), []

    async def listen() -> None:
        await go_on.wait()
        done.append(True)

    task = asyncio.ensure_future(guard.wrap(listen)())
    await asyncio.sleep(0)
    assert await guard.drain(0.01) == 1
    go_on.set()
    assert await guard.drain(1) == 0
    assert done
    await task


async def test_drain_waits_for_scheduled_listeners() -> None:
    guard, done = ListenerWrapper(), []

    async def listen() -> None:
        await asyncio.sleep(0.001)
        done.append(True)

    task = asyncio.ensure_future(guard.wrap(listen)())
    assert await guard.drain(1) == 0
    assert done
    await task


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InvalidInput("Say it differently."), "Say it differently."),
        (BackendDown("disk /dev/secret is on fire"), BackendDown.user_message),
        (BackendCredentials("-1006 (no permission)"), BackendCredentials.user_message),
        (BackendQuota("-2 (no calls left)"), BackendQuota.user_message),
        (RetryLater("Slack asks for patience", 5), SLACK_BUSY),
        (slack_error({"ok": False, "error": "internal_error"}), SLACK_BUSY),
        (slack_error("<html>", 503), SLACK_BUSY),
        (slack_error({"ok": False, "error": "invalid_arguments"}), FAILED),
        (ZeroDivisionError(f"by {SECRET}"), FAILED),
    ],
)
async def test_every_error_becomes_one_sentence(log_output: io.StringIO, error: Exception, sentence: str) -> None:
    replies, metrics = RecordedSentences(), CountingMetrics()
    async with report_errors(replies, metrics):
        await fail(error)
    assert replies.sentences == [sentence]
    assert metrics.failures == ([type(error).__name__] if isinstance(error, BackendError) else [])
    assert SECRET not in log_output.getvalue()


async def test_successful_listeners_send_nothing() -> None:
    replies = RecordedSentences()
    async with report_errors(replies, NullMetrics()):
        pass
    assert replies.sentences == []


@pytest.mark.parametrize(
    "error", [RuntimeError(f"no answer from {URL}"), slack_error({"ok": False, "error": "fatal_error", "url": URL})]
)
async def test_failed_reply_is_logged(log_output: io.StringIO, error: Exception) -> None:
    replies = RecordedSentences(error)
    async with report_errors(replies, NullMetrics()):
        await fail(InvalidInput("Say it differently."))
    assert replies.sentences == ["Say it differently."]
    assert "could not reply to the requester" in log_output.getvalue()
    assert "geheim" not in log_output.getvalue()


async def test_only_slow_work_sends_one_progress_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "PROGRESS_AFTER_S", 0.01)
    replies, announced = RecordedSentences(), asyncio.Event()

    async def tell(sentence: str) -> None:
        await replies(sentence)
        announced.set()

    async def slow() -> int:
        await announced.wait()
        return 7

    assert await with_progress(slow(), tell) == 7
    assert replies.sentences == [STILL_WORKING]

    async def quick() -> int:
        return 8

    monkeypatch.setattr(guard_module, "PROGRESS_AFTER_S", 1)
    assert await with_progress(quick(), tell) == 8
    assert len(replies.sentences) == 1


async def test_failed_progress_message_does_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "PROGRESS_AFTER_S", 0.001)

    async def slow() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert await with_progress(slow(), RecordedSentences(RuntimeError())) == 7


async def test_work_is_cancelled_with_its_request() -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(with_progress(endless(), RecordedSentences()))
    await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 10)


def test_deliveries_without_a_key_are_always_new() -> None:
    guard = ListenerWrapper()
    assert guard.is_first_delivery(("event", ""), ())
    assert guard.is_first_delivery(("event", ""), ())
    assert guard.is_first_delivery(("event", "Ev1"))
    assert not guard.is_first_delivery(("event", "Ev1"))
