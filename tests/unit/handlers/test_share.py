"""Retries of downloads during a job's first attempts, and what buttons carry of a share."""

from __future__ import annotations

import pytest

from bot.blocks.button_state import AddState
from bot.domain.errors import FetchFailed, FetchRefused, RetryLater
from bot.domain.identifiers import WorkspaceId
from bot.domain.jobs import Job, JobKind
from handlers.inbox.share import QUIET_ATTEMPTS, carried, retry_first_attempts
from handlers.parsing.payloads import FileState, SharedFile


def job(attempts: int) -> Job:
    return Job(1, JobKind.SHARE, WorkspaceId("T1"), "", "C1", "1.2", ("F1",), "{}", attempts)


def test_transient_errors_are_retried_first() -> None:
    with pytest.raises(RetryLater, match="busy"), retry_first_attempts(job(QUIET_ATTEMPTS)):
        raise FetchFailed("Slack is busy")


def test_last_attempt_reports_the_error() -> None:
    with pytest.raises(FetchFailed), retry_first_attempts(job(QUIET_ATTEMPTS + 1)):
        raise FetchFailed("Slack is busy")


def test_permanent_errors_are_reported_at_once() -> None:
    with pytest.raises(FetchRefused, match="gone"), retry_first_attempts(job(1)):
        raise FetchRefused("It is gone.")


def test_buttons_carry_all_files_and_each_link() -> None:
    one, two = (SharedFile(name, FileState.READY) for name in ("F1", "F2"))
    link = SharedFile("link-1", FileState.READY, link="https://example.com/a,b.png")
    states = [picture for state in carried(AddState(message="1.2"), [one, link, two]) for picture in state.pictures]
    assert [(state.file, state.url, state.message) for state in states] == [
        ("F1", "", "1.2"),
        ("F2", "", "1.2"),
        ("", link.link, "1.2"),
    ]
