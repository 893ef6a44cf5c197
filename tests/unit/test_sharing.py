"""A share as it is worked on."""

from __future__ import annotations

import pytest

from bot.conversations import Job, JobKind
from bot.errors import FetchFailed, FetchRefused, TryAgain
from bot.models import WorkspaceId
from handlers.sharing import PATIENT_ATTEMPTS, patience


def job(attempts: int) -> Job:
    return Job(1, JobKind.SHARE, WorkspaceId("T1"), "", "C1", "1.2", ("F1",), "{}", attempts)


def test_what_may_go_well_later_is_left_for_later() -> None:
    with pytest.raises(TryAgain, match="busy"), patience(job(PATIENT_ATTEMPTS)):
        raise FetchFailed("Slack is busy")


def test_in_the_end_the_person_is_told() -> None:
    with pytest.raises(FetchFailed), patience(job(PATIENT_ATTEMPTS + 1)):
        raise FetchFailed("Slack is busy")


def test_what_will_not_go_well_is_told_at_once() -> None:
    with pytest.raises(FetchRefused, match="gone"), patience(job(1)):
        raise FetchRefused("It is gone.")
