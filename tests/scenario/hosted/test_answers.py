"""What people read while a remote back end fails: the right sentence, once, and no internals."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.app.slack_app import SlackApp, build
from bot.blocks.wording.errors import STILL_RETRYING
from bot.config.settings import Settings
from bot.domain.channels import ChannelMode
from bot.domain.errors import (
    BackendCannotFetch,
    BackendCredentials,
    BackendDown,
    BackendError,
    BackendGarbled,
    BackendLost,
    BackendQuota,
    BackendRefused,
    BackendThrottled,
    BackendTimeout,
    PictureRefused,
)
from bot.domain.matches import Caveat
from handlers.slack.connection import socket_mode
from tests.fakes.failing_back_end import FaultySearch
from tests.fakes.slack import SOMEONE, FakeSlack, Message
from tests.scenario.conftest import fill
from tests.scenario.support.requests import GASKET, UNRELATED, VALVE, run_command
from tests.scenario.support.shares import entities, reply, retry_at_once, settled, watch

KINDS = (
    BackendError,
    BackendTimeout,
    BackendRefused,
    BackendCredentials,
    BackendQuota,
    BackendLost,
    BackendCannotFetch,
    BackendThrottled,
    BackendDown,
    BackendGarbled,
)
COPIES_ONLY = "I could only check for copies of this image"
REFUSED = "The image search refused this picture. Please try another one."


@pytest.fixture(autouse=True)
def _retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed jobs at once."""
    retry_at_once(monkeypatch)


@pytest.fixture
def visual() -> FaultySearch:
    return FaultySearch()


@pytest.fixture
async def app(slack: FakeSlack, visual: FaultySearch, tmp_path: Path) -> AsyncIterator[SlackApp]:
    """A bot with a database that has one valve."""
    settings = Settings.from_mapping({**slack.environment, "VSEARCH_DATA_DIR": str(tmp_path / "data")})
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(build(settings, visual=visual))
        token = settings.slack_app_token or ""
        await stack.enter_async_context(socket_mode(made.bolt, made.wrapper, token, settings.slack_api_url))
        await fill(made, "parts", valve=VALVE)
        yield made


def ephemeral_texts(slack: FakeSlack) -> list[str]:
    """Return the ephemeral messages to the author. Nobody else may have got one."""
    return [message.text for message in slack.transcript if message.to == SOMEONE]


async def shared_and_answered(slack: FakeSlack, content: bytes = VALVE) -> Message:
    return await reply(slack, await slack.upload(content))


async def test_each_failure_has_its_sentence_and_its_code_is_logged_only(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch, caplog: pytest.LogCaptureFixture
) -> None:
    await watch(app, ChannelMode.OFF)
    await slack.upload(VALVE)
    for number, kind in enumerate(KINDS):
        code = f"search: -{number} (HTTP 200, request R-{number})"
        visual.error = kind(code)
        assert (await run_command(slack, "search last in:parts")).text == kind.user_message
        notice = [record for record in caplog.records if record.exc_info and code in str(record.exc_info[1])]
        assert len(notice) == 1
    assert "R-" not in "".join(message.everything for message in slack.transcript)


@pytest.mark.usefixtures("app")
async def test_forms_show_the_same_sentence_at_the_field(slack: FakeSlack, visual: FaultySearch) -> None:
    await slack.press(await run_command(slack, "db"), "create_database")
    form = await slack.wait_for_view("create_database_form")
    visual.error = BackendQuota("-2")
    await slack.submit(form, {"name": "logos"})
    assert form.errors == {"name": BackendQuota.user_message}


async def test_error_for_an_admin_is_shown_at_once_and_the_share_waits(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch
) -> None:
    visual.error, visual.failing_calls = BackendCredentials("-1006"), 2
    assert "`valve`" in (await shared_and_answered(slack)).everything
    await settled(slack, app)
    assert ephemeral_texts(slack) == [BackendCredentials.user_message]


async def test_transient_failures_are_reported_only_if_they_last(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch
) -> None:
    visual.error, visual.failing_calls = BackendThrottled("-1009"), 1
    await shared_and_answered(slack)
    await settled(slack, app)
    assert ephemeral_texts(slack) == []
    visual.error, visual.failing_calls = BackendThrottled("-1009"), 2
    await shared_and_answered(slack, UNRELATED)
    await settled(slack, app)
    assert ephemeral_texts(slack) == [STILL_RETRYING]


@pytest.mark.parametrize("kind", [BackendQuota, BackendGarbled])
async def test_final_message_about_a_share_states_the_actual_error(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch, kind: type[BackendError]
) -> None:
    visual.error = kind("out of order")
    shared = await slack.upload(VALVE)
    await settled(slack, app)
    assert ephemeral_texts(slack)[-1] == kind.user_message
    assert slack.replies(shared.ts) == []


async def test_copies_only_answer_says_so_and_is_searched_again_after_recovery(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch
) -> None:
    visual.caveats = {Caveat.SAME_IMAGES_ONLY}
    known, unknown = await shared_and_answered(slack), await shared_and_answered(slack, UNRELATED)
    assert "same image" in known.everything
    assert "Only checked for copies." in known.text
    assert "No copies found" in unknown.everything
    for answer in (known, unknown):
        assert COPIES_ONLY in answer.everything
        assert "close" not in answer.everything
    visual.recover()
    again = await shared_and_answered(slack)
    assert COPIES_ONLY not in again.everything
    assert (await shared_and_answered(slack)).everything == again.everything
    assert visual.calls.count("search") == 3
    await settled(slack, app)


async def test_several_pictures_of_one_message_get_one_notice(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch
) -> None:
    visual.caveats = {Caveat.SAME_IMAGES_ONLY}
    shared = await slack.upload(*(slack.host(content, f"{n}.png") for n, content in enumerate((VALVE, GASKET))))
    answer = await reply(slack, shared)
    assert answer.everything.count(COPIES_ONLY) == 1
    await settled(slack, app)


async def test_crowded_answer_says_that_matches_may_be_missing(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch
) -> None:
    visual.caveats = {Caveat.CROWDED_OUT}
    assert "Some matches may be missing" in (await shared_and_answered(slack)).everything
    await settled(slack, app)


async def test_guard_reports_a_copy_and_adds_nothing_while_the_service_is_down(
    app: SlackApp, slack: FakeSlack, visual: FaultySearch
) -> None:
    await watch(app, ChannelMode.GUARD, "parts")
    visual.caveats = {Caveat.SAME_IMAGES_ONLY}
    repost = await shared_and_answered(slack)
    assert "`valve`" in repost.everything
    assert COPIES_ONLY in repost.everything
    visual.failing_calls = 2
    visual.calls.clear()
    fresh = await slack.upload(slack.host(UNRELATED, "fresh.png"))
    await settled(slack, app)
    assert visual.calls == ["search", "search", "search", "add"]
    assert ephemeral_texts(slack) == [STILL_RETRYING]
    assert await entities(app) == ["valve", "fresh"]
    assert slack.replies(fresh.ts) == []


async def test_refused_picture_is_reported_to_its_author(app: SlackApp, slack: FakeSlack, visual: FaultySearch) -> None:
    visual.error = PictureRefused(REFUSED)
    looked_up = await shared_and_answered(slack, UNRELATED)
    assert looked_up.text == REFUSED
    assert (await run_command(slack, "add last in:parts")).text == REFUSED
    await watch(app, ChannelMode.COLLECT, "parts")
    before = len(slack.transcript)
    shared = await slack.upload(slack.host(GASKET, "gasket.png"))
    assert await slack.wait_for_reaction(shared) == "warning"
    notice = await slack.wait_for_answer(after=before)
    assert f"`gasket.png`: {REFUSED}" in notice.everything
    await settled(slack, app)
    assert await entities(app) == ["valve"]
    # A refused picture is not retried.
    assert visual.calls.count("add") == 3


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("kind", [BackendDown, BackendQuota, BackendCredentials])
async def test_status_names_the_back_end_and_its_problem(
    slack: FakeSlack, visual: FaultySearch, caplog: pytest.LogCaptureFixture, kind: type[BackendError]
) -> None:
    assert "`showapi`: healthy" in (await run_command(slack, "status")).everything
    visual.error = kind("ping: -2 (HTTP 200, request R-1)")
    status = await run_command(slack, "status")
    assert f"`showapi`: :warning: {kind.user_message}" in status.everything
    [line] = [record for record in caplog.records if "R-1" in record.getMessage()]
    assert line.levelno == logging.WARNING
