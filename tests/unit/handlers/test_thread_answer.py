"""The answer to a share: a progress message that turns into it, found again by later attempts."""

from __future__ import annotations

import asyncio

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.reply import Reply, section
from bot.blocks.wording.errors import STILL_WORKING
from bot.domain.channels import ChannelKind
from bot.domain.errors import RetryLater
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job, JobKind
from handlers import errors
from handlers.inbox.waiting_notices import BUSY_NOTICE_AFTER_S
from handlers.jobs.thread_answer import PROGRESS_AFTER_S, LeaseLost, ThreadAnswer
from handlers.parsing.payloads import FileState, ImageShare, SharedFile
from handlers.slack_errors import TargetGone
from tests.fakes.slack import GENERAL, SOMEONE, FakeSlack, Message

ANSWER = Reply("Best match.", (section("*Best match*"),))
FILES = ("F1", "F2", "F3")


class Answering:
    """The part of the inbox that answers use."""

    def __init__(self, *, is_held: bool = True, is_wanted: bool = True) -> None:
        self.is_held = is_held
        self.wanted = is_wanted

    async def mark_answering(self, _job: Job) -> bool:
        return self.is_held

    async def is_wanted(self, _job: int, _file: str) -> bool:
        return self.wanted


class HeldSleep:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._passed = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        await self._passed.wait()

    def end(self) -> None:
        self._passed.set()


@pytest.fixture
async def shared(slack: FakeSlack) -> Message:
    return await slack.say("what is this?")


def answer_of(
    client: AsyncWebClient,
    shared: Message,
    sleep: HeldSleep,
    *,
    attempts: int = 1,
    answering: bool = False,
    inbox: Answering | None = None,
) -> ThreadAnswer:
    """Return the answer of an attempt at a job with three files."""
    workspace = WorkspaceId("T1")
    job = Job(7, JobKind.SHARE, workspace, "", GENERAL, shared.ts, FILES, "", attempts, answering)
    files = tuple(SharedFile(file, FileState.READY) for file in FILES)
    message = ImageShare(
        workspace, "", GENERAL, ChannelKind.PUBLIC, SOMEONE, shared.ts, "", "", "", False, files, workspace
    )
    return ThreadAnswer(client, inbox or Answering(), job, message, sleep.sleep)  # type: ignore[arg-type]


async def progress_shown(slack: FakeSlack, sleep: HeldSleep) -> Message:
    """Let the time pass, and return the progress message."""
    sleep.end()
    return await slack.wait_for(lambda message: message.text == STILL_WORKING)


def texts(slack: FakeSlack, shared: Message) -> list[str]:
    """Return the texts of the bot's messages in the thread."""
    return [message.text for message in slack.replies(shared.ts)]


async def test_quick_answer_shows_no_progress(slack: FakeSlack, client: AsyncWebClient, shared: Message) -> None:
    sleep = HeldSleep()
    answer = answer_of(client, shared, sleep)
    async with answer.progress():
        await asyncio.sleep(0)
        await answer.send(ANSWER, ["F1"])
    await answer.withdraw()
    assert texts(slack, shared) == [ANSWER.text]
    assert sleep.delays == [PROGRESS_AFTER_S]
    assert PROGRESS_AFTER_S < 10
    assert slack.calls("chat.update") == []


async def test_progress_turns_into_the_answer(slack: FakeSlack, client: AsyncWebClient, shared: Message) -> None:
    sleep = HeldSleep()
    answer = answer_of(client, shared, sleep)
    async with answer.progress():
        sign = await progress_shown(slack, sleep)
        assert sign.thread_ts == shared.ts
        await answer.send(ANSWER, ["F1"])
    await answer.withdraw()
    [message] = slack.replies(shared.ts)
    assert (message.ts, message.text) == (sign.ts, ANSWER.text)
    assert [block.get("block_id") for block in message.blocks] == [f"summary:7-{shared.ts}"]


async def test_progress_without_an_answer_is_deleted(slack: FakeSlack, client: AsyncWebClient, shared: Message) -> None:
    sleep = HeldSleep()
    answer = answer_of(client, shared, sleep)
    async with answer.progress():
        await progress_shown(slack, sleep)
    await answer.withdraw()
    await answer.withdraw()
    assert texts(slack, shared) == []


@pytest.mark.parametrize("answering", [False, True])
async def test_later_attempt_turns_the_same_progress_into_the_answer(
    slack: FakeSlack, client: AsyncWebClient, shared: Message, answering: bool
) -> None:
    sleep = HeldSleep()
    async with answer_of(client, shared, sleep).progress():
        sign = await progress_shown(slack, sleep)
    later = answer_of(client, shared, sleep, attempts=2, answering=answering)
    await later.find_earlier()
    async with later.progress():
        await asyncio.sleep(0.01)
        assert texts(slack, shared) == [STILL_WORKING]
        await later.send(ANSWER, ["F1"])
    [message] = slack.replies(shared.ts)
    assert (message.ts, message.text) == (sign.ts, ANSWER.text)


async def test_deleted_progress_is_replaced_by_a_new_message(
    slack: FakeSlack, client: AsyncWebClient, shared: Message
) -> None:
    sleep = HeldSleep()
    answer = answer_of(client, shared, sleep)
    async with answer.progress():
        sign = await progress_shown(slack, sleep)
        await slack.state.remove(sign)
        slack.refuse_next("chat.update", "message_not_found")
        await answer.send(ANSWER, ["F1"])
    assert texts(slack, shared) == [ANSWER.text]
    slack.state.failures.clear()


async def test_progress_that_slack_refuses_does_not_stop_the_answer(
    slack: FakeSlack, client: AsyncWebClient, shared: Message
) -> None:
    sleep = HeldSleep()
    slack.refuse_next("chat.postMessage", "restricted_action")
    answer = answer_of(client, shared, sleep)
    async with answer.progress():
        sleep.end()
        await asyncio.sleep(0.1)
        await answer.send(ANSWER, ["F1"])
    assert texts(slack, shared) == [ANSWER.text]


async def test_answered_files_are_known_to_the_next_attempt(
    slack: FakeSlack, client: AsyncWebClient, shared: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Reply("1. a\n2. b", (section("one and two"),), pictures=2)
    whole = Reply(first.text, first.blocks, (Reply("3. c", (section("three"),)),), pictures=2)
    sleep = HeldSleep()
    slack.refuse_next("chat.postMessage", "internal_error", times=1)
    with pytest.raises(RetryLater):
        await answer_of(client, shared, sleep).send(whole, list(FILES))
    await answer_of(client, shared, sleep).send(Reply(first.text, first.blocks, whole.further, 2), list(FILES))
    complete = answer_of(client, shared, sleep, attempts=2, answering=True)
    await complete.find_earlier()
    assert complete.is_complete
    await slack.state.remove(slack.replies(shared.ts)[-1])
    partial = answer_of(client, shared, sleep, attempts=2, answering=True)
    await partial.find_earlier()
    assert (partial.is_complete, partial.answered) == (False, frozenset({"F1", "F2"}))


async def test_answer_of_another_process_is_left_alone(
    slack: FakeSlack, client: AsyncWebClient, shared: Message
) -> None:
    sleep = HeldSleep()
    with pytest.raises(LeaseLost):
        await answer_of(client, shared, sleep, inbox=Answering(is_held=False)).send(ANSWER, ["F1"])
    with pytest.raises(TargetGone):
        await answer_of(client, shared, sleep, inbox=Answering(is_wanted=False)).send(ANSWER, ["F1"])
    assert texts(slack, shared) == []


async def test_unreadable_thread_stops_only_an_attempt_that_may_have_answered(
    slack: FakeSlack, client: AsyncWebClient, shared: Message
) -> None:
    slack.refuse_next("conversations.replies", "internal_error", times=2)
    await answer_of(client, shared, HeldSleep(), attempts=2).find_earlier()
    with pytest.raises(RetryLater):
        await answer_of(client, shared, HeldSleep(), answering=True).find_earlier()
    await answer_of(client, shared, HeldSleep(), attempts=2).find_earlier(has_progress=False)
    assert len(slack.calls("conversations.replies")) == 2


def test_progress_is_shown_within_ten_seconds() -> None:
    # In the worst case, a worker starts just before the notice, and then works until the progress message is due.
    assert BUSY_NOTICE_AFTER_S + PROGRESS_AFTER_S < 10
    assert errors.PROGRESS_AFTER_S < 10
